#include "broker/queue_times.h"

namespace warren::broker {
namespace {

/// More than a queue has priorities: of each only the first message is asked for.
constexpr std::size_t most_known = 512;

}  // namespace

std::optional<WallMs> MessageAges::deadline(const MessageRun::Entry& entry) {
  const TimeMark* mark = times.find(entry.index);
  if (!mark) return never_ms;
  if (!mark->has_own) return QueueTimes::deadline(*mark, {});
  if (entry.message) {
    const WallMs deadline = QueueTimes::deadline(*mark, entry.message.expiration_ms());
    if (!entry.stored) return deadline;
    if (known_.size() >= most_known) known_.clear();
    known_[entry.index] = deadline;
    return deadline;
  }
  if (auto known = known_.find(entry.index); known != known_.end()) return known->second;
  return {};
}

bool MessageAges::is_over(const MessageRun::Entry& entry) {
  const TimeMark* mark = times.find(entry.index);
  if (!mark) return false;
  // Its own expiration can only make it less, so that need not be known.
  const WallMs by_ttl = QueueTimes::deadline(*mark, {});
  if (by_ttl <= now && by_ttl > mark->arrived_ms) return true;
  const WallMs over = deadline(entry).value_or(by_ttl);
  return over <= now && (over > mark->arrived_ms || entry.index <= offered);
}

}  // namespace warren::broker
