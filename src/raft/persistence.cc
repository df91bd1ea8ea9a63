#include "raft/persistence.h"

#include <algorithm>

namespace warren::raft {

bool Persistence::is_hard_state_pending() const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [](const Pending& pending) { return pending.has_hard_state; });
}

PersistToken Persistence::add(LogIndex last, bool has_hard_state) {
  last_token_ = last_token_.next();
  pending_.push_back({last_token_, last, has_hard_state});
  return last_token_;
}

void Persistence::persisted(PersistToken token) {
  while (!pending_.empty() && pending_.front().token <= token) {
    durable_ = std::max(durable_, pending_.front().last);
    pending_.pop_front();
  }
}

void Persistence::truncate_from(LogIndex index) {
  LogIndex last{index.value - 1};
  durable_ = std::min(durable_, last);
  for (Pending& pending : pending_) pending.last = std::min(pending.last, last);
}

}  // namespace warren::raft
