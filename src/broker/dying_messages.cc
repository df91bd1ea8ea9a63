#include "broker/dying_messages.h"

#include <algorithm>
#include <utility>

namespace warren::broker {

void DyingMessages::add(MessageRun::Entry entry, DeathReason reason) {
  deaths_.push_back({entry.index, reason});
  entry.consumer = 0;
  run_.insert(std::move(entry));
}

std::optional<DyingMessage> DyingMessages::next() {
  for (; !deaths_.empty(); deaths_.pop_front()) {
    const Death& death = deaths_.front();
    MessageRun::Cursor place(run_, death.index);
    if (place.current() && place.current()->index == death.index)
      return DyingMessage{death.index, death.reason, place.current()->message};
  }
  return std::nullopt;
}

std::vector<MessageIndex> DyingMessages::missing(std::size_t most) const {
  std::vector<MessageIndex> missing;
  for (std::size_t i = 0; i < std::min(most, deaths_.size()); ++i) {
    const MessageRun::Entry* entry = run_.find(deaths_[i].index);
    if (entry && !entry->message) missing.push_back(entry->index);
  }
  return missing;
}

void DyingMessages::clear() {
  run_.clear();
  deaths_.clear();
}

}  // namespace warren::broker
