#include "session/unacknowledged.h"

#include <algorithm>

#include "base/assert.h"

namespace warren::session::amqp091 {

void Unacknowledged::add(const Unsettled& delivery) {
  ASSERT(slots_.empty() || slots_.back().delivery.tag < delivery.tag);
  slots_.push_back({delivery, false});
  ++size_;
}

bool Unacknowledged::take(std::uint64_t tag, bool multiple, std::vector<Unsettled>& out) {
  auto end = slots_.end();
  if (tag != 0 || !multiple) {
    end = std::lower_bound(slots_.begin(), slots_.end(), tag, [](const Slot& slot, auto wanted) {
      return slot.delivery.tag < wanted;
    });
    if (end == slots_.end() || end->delivery.tag != tag || end->is_taken) return false;
    ++end;
  }
  for (auto slot = multiple ? slots_.begin() : std::prev(end); slot != end; ++slot) {
    if (slot->is_taken) continue;
    out.push_back(slot->delivery);
    slot->is_taken = true;
    --size_;
  }
  drop_settled();
  return true;
}

void Unacknowledged::drop_settled() {
  while (!slots_.empty() && slots_.front().is_taken) slots_.pop_front();
  constexpr std::size_t worth_compacting = 64;
  if (slots_.size() > worth_compacting && size_ * 2 < slots_.size())
    std::erase_if(slots_, [](const Slot& slot) { return slot.is_taken; });
}

void Unacknowledged::put_back(std::vector<Unsettled> deliveries) {
  std::erase_if(slots_, [](const Slot& slot) { return slot.is_taken; });
  for (const Unsettled& delivery : deliveries) slots_.push_back({delivery, false});
  std::sort(slots_.begin(), slots_.end(), [](const Slot& left, const Slot& right) {
    return left.delivery.tag < right.delivery.tag;
  });
  size_ = slots_.size();
}

void settle_all(broker::Gateway& gateway, broker::ChannelId channel,
                const std::vector<Unsettled>& deliveries, broker::Outcome outcome) {
  std::vector<broker::MessageIndex> run;
  for (auto first = deliveries.begin(); first != deliveries.end();) {
    auto last = first;
    run.clear();
    while (last != deliveries.end() && last->queue == first->queue && last->lease == first->lease)
      run.push_back((last++)->index);
    gateway.settle(channel, first->queue, first->lease, run, outcome);
    first = last;
  }
}

}  // namespace warren::session::amqp091
