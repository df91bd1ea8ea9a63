#include "broker/queue_times.h"

#include <algorithm>
#include <bit>

namespace warren::broker {
namespace {

bool is_before(MessageIndex index, const TimeMark& mark) {
  return index <= mark.after;
}

/// Absent is for ever.
std::optional<std::uint64_t> longer(std::optional<std::uint64_t> one,
                                    std::optional<std::uint64_t> other) {
  if (!one || !other) return {};
  return std::max(*one, *other);
}

/// What comes after `mark`, too, expires no sooner than either says.
void put_together(TimeMark& mark, const TimeMark& next) {
  mark.arrived_ms = std::max(mark.arrived_ms, next.arrived_ms);
  mark.ttl_ms = longer(mark.ttl_ms, next.ttl_ms);
  mark.has_own |= next.has_own;
}

}  // namespace

std::optional<TimeMark> QueueTimes::find_needed(WallMs now, std::optional<std::uint64_t> ttl_ms,
                                                bool has_expiration) const {
  TimeMark wanted{{}, now, ttl_ms, has_expiration};
  const TimeMark* last = marks_.empty() ? nullptr : &marks_.back();
  if (!ttl_ms && !has_expiration) {
    // It stays for ever: what is needed is that no mark says otherwise.
    if (last && last->ttl_ms) return wanted;
    return {};
  }
  if (last && last->arrived_ms == now && last->ttl_ms == ttl_ms &&
      (last->has_own || !has_expiration))
    return {};
  return wanted;
}

void QueueTimes::add(const TimeMark& mark, MessageIndex lowest) {
  // Of what came from a disk or another node nothing is certain.
  if (!marks_.empty() && marks_.back().after >= mark.after) return;
  if (is_full()) {
    // The mark of the lowest message stays.
    auto first = std::upper_bound(marks_.begin(), marks_.end(), lowest, is_before);
    if (first != marks_.begin()) marks_.erase(marks_.begin(), std::prev(first));
    if (marks_.size() > most_marks / 2) thin();
    if (marks_.size() > most_marks / 4 * 3) halve();
  }
  marks_.push_back(mark);
}

/// Puts marks together that fall into the same part of all the time between them. Parts are a power
/// of two long and begin at multiples of it, so longer ones hold whole shorter ones: however often
/// this is done, no mark moves by more than a part.
void QueueTimes::thin() {
  auto [least, most] = std::ranges::minmax(marks_, {}, &TimeMark::arrived_ms);
  const std::uint64_t span = most.arrived_ms - least.arrived_ms;
  const std::uint64_t part = std::bit_ceil(span / (most_marks / 2) + 1);
  std::vector<TimeMark> kept;
  for (const TimeMark& mark : marks_) {
    const bool is_near = !kept.empty() && kept.back().ttl_ms == mark.ttl_ms &&
                         kept.back().arrived_ms / part == mark.arrived_ms / part;
    if (is_near)
      put_together(kept.back(), mark);
    else
      kept.push_back(mark);
  }
  marks_ = std::move(kept);
}

/// Whatever they say: of a clock that goes to and fro, or TTLs that change all the time.
void QueueTimes::halve() {
  for (std::size_t i = 0; i + 1 < marks_.size(); i += 2) {
    marks_[i / 2] = marks_[i];
    put_together(marks_[i / 2], marks_[i + 1]);
  }
  if (marks_.size() % 2 == 1) marks_[marks_.size() / 2] = marks_.back();
  marks_.resize((marks_.size() + 1) / 2);
}

const TimeMark* QueueTimes::find(MessageIndex index) const {
  auto next = std::upper_bound(marks_.begin(), marks_.end(), index, is_before);
  return next == marks_.begin() ? nullptr : &*std::prev(next);
}

void QueueTimes::assign(std::vector<TimeMark> marks) {
  marks_.clear();
  for (const TimeMark& mark : marks) add(mark, MessageIndex{});
}

WallMs QueueTimes::deadline(const TimeMark& mark, std::optional<std::uint64_t> expiration_ms) {
  std::uint64_t stay = std::min(mark.ttl_ms.value_or(never_ms), expiration_ms.value_or(never_ms));
  return stay > never_ms - mark.arrived_ms ? never_ms : mark.arrived_ms + stay;
}

}  // namespace warren::broker
