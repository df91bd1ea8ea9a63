#include "session/unacknowledged.h"

#include <algorithm>

#include "base/assert.h"

namespace warren::session::amqp091 {

void Unacknowledged::add(const Unsettled& delivery) {
  ASSERT(slots_.empty() || slots_.back().tag < delivery.tag);
  slots_.push_back(delivery);
  ++size_;
  consumed_ += delivery.is_consumed ? 1 : 0;
}

bool Unacknowledged::take(std::uint64_t tag, bool multiple, std::vector<Unsettled>& out) {
  auto end = slots_.end();
  if (tag != 0 || !multiple) {
    end = find(tag);
    if (end == slots_.end() || end->is_taken) return false;
    ++end;
  }
  for (auto slot = multiple ? front() : std::prev(end); slot != end; ++slot) {
    if (slot->is_taken) continue;
    out.push_back(*slot);
    slot->is_taken = true;
    --size_;
    consumed_ -= slot->is_consumed ? 1 : 0;
  }
  drop_settled();
  return true;
}

/// Tags have gaps only where deliveries need no acknowledgement, so the place is often known.
Unacknowledged::Slots::iterator Unacknowledged::find(std::uint64_t tag) {
  const auto first = front();
  if (first == slots_.end() || tag < first->tag) return slots_.end();
  const std::uint64_t distance = tag - first->tag;
  if (distance < static_cast<std::uint64_t>(slots_.end() - first)) {
    const auto guess = first + static_cast<std::ptrdiff_t>(distance);
    if (guess->tag == tag) return guess;
  }
  const auto found = std::lower_bound(
      first, slots_.end(), tag,
      [](const Unsettled& slot, std::uint64_t wanted) { return slot.tag < wanted; });
  return found != slots_.end() && found->tag == tag ? found : slots_.end();
}

void Unacknowledged::drop_settled() {
  while (gone_ < slots_.size() && slots_[gone_].is_taken) ++gone_;
  constexpr std::size_t worth_compacting = 64;
  if (gone_ == slots_.size()) {
    constexpr std::size_t kept_slots = 256;
    if (slots_.capacity() > kept_slots) Slots().swap(slots_);
    slots_.clear();
    gone_ = 0;
  } else if (slots_.size() > worth_compacting && size_ * 2 < slots_.size()) {
    std::erase_if(slots_, [](const Unsettled& slot) { return slot.is_taken; });
    gone_ = 0;
  }
}

void Unacknowledged::put_back(std::vector<Unsettled> deliveries) {
  std::erase_if(slots_, [](const Unsettled& slot) { return slot.is_taken; });
  gone_ = 0;
  for (const Unsettled& delivery : deliveries) {
    slots_.push_back(delivery);
    consumed_ += delivery.is_consumed ? 1 : 0;
  }
  std::sort(slots_.begin(), slots_.end(), [](const Unsettled& left, const Unsettled& right) {
    return left.tag < right.tag;
  });
  size_ = slots_.size();
}

}  // namespace warren::session::amqp091
