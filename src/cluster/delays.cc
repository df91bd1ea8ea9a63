#include "cluster/delays.h"

#include <algorithm>
#include <functional>

#include "base/assert.h"

namespace warren::cluster {
namespace {

/// Messages in one turn.
constexpr std::size_t most_noted_in_turn = 10'000;
constexpr std::size_t most_ended_in_turn = 2'048;
/// Messages that are due and still in the queue: what is under way, and as many behind it.
constexpr std::size_t most_due = 2'048;
constexpr std::size_t least_capacity = 1'024;
/// What can't go anywhere is tried again after that time, and later the more there is of it.
constexpr broker::WallMs least_put_off_ms = 1'000;
constexpr std::size_t most_retries_per_ms = 10;

}  // namespace

bool Delays::work(base::Time turn, broker::WallMs now, MessageIndex limit) {
  if (turn != turn_) {
    turn_ = turn;
    left_to_note_ = most_noted_in_turn;
    left_to_end_ = most_ended_in_turn;
  }
  if (noted_up_to_ < limit) note_new(limit);
  end_due(now);
  return left_to_note_ == 0 || (left_to_end_ == 0 && next_due() <= now);
}

bool Delays::is_full() const {
  return replica_.queue().counts().dying >= most_due + put_off_.size();
}

void Delays::put_off(const std::vector<MessageIndex>& messages, broker::WallMs now) {
  for (MessageIndex index : messages) {
    put_off_.insert(index);
    note(now + least_put_off_ms + put_off_.size() / most_retries_per_ms, index);
  }
}

void Delays::note(broker::WallMs due_ms, MessageIndex index) {
  waiting_.push_back({due_ms, index});
  std::ranges::push_heap(waiting_, std::greater<>());
}

broker::WallMs Delays::next_due() const {
  return waiting_.empty() ? broker::never_ms : waiting_.front().due_ms;
}

/// Of what is on disk only it finds out in turns: what was read stays in memory no longer than that
/// takes, as most of it is due much later.
void Delays::note_new(MessageIndex limit) {
  const MessageIndex first = noted_up_to_.next();
  MessageIndex missing;
  replica_.queue().for_each_message(
      first, [&](MessageIndex index, const broker::Message& message) {
        if (index > limit || left_to_note_ == 0) return false;
        if (!message) missing = index;
        if (!message) return false;
        note(message.due_ms().value_or(0), index);
        noted_up_to_ = index;
        --left_to_note_;
        return true;
      });
  if (has_read_ && noted_up_to_ >= first) replica_.queue().evict(first, noted_up_to_);
  has_read_ = static_cast<bool>(missing);
  if (missing)
    replica_.fetch_waiting(missing);
  else if (left_to_note_ > 0)
    noted_up_to_ = limit;
}

void Delays::end_due(broker::WallMs now) {
  std::vector<MessageIndex> gone;
  for (; next_due() <= now && left_to_end_ > 0 && !is_full(); --left_to_end_) {
    const MessageIndex index = waiting_.front().index;
    if (!put_off_.empty() && put_off_.erase(index) > 0)
      replica_.queue().die_again(index, broker::DeathReason::expired);
    else
      replica_.queue().end(index, broker::DeathReason::expired, gone);
    std::ranges::pop_heap(waiting_, std::greater<>());
    waiting_.pop_back();
  }
  ASSERT(gone.empty());
  if (waiting_.capacity() > least_capacity && waiting_.size() < waiting_.capacity() / 4)
    waiting_.shrink_to_fit();
}

}  // namespace warren::cluster
