#pragma once

#include <optional>
#include <vector>

#include "base/ring.h"
#include "broker/death.h"
#include "broker/message_run.h"

namespace warren::broker {

/// A message that died in a queue that keeps its dead.
struct DyingMessage {
  MessageIndex index;
  DeathReason reason = DeathReason::rejected;
  Message message;  ///< empty while it is on disk only
};

/// The messages that died in a queue that keeps its dead: they are in the queue still, but nobody
/// is given them.
class DyingMessages {
 public:
  void add(MessageRun::Entry entry, DeathReason reason);
  /// Of those that were not passed the one that died first.
  std::optional<DyingMessage> next();
  /// Those of the first `most` that were not passed and are on disk only.
  std::vector<MessageIndex> missing(std::size_t most) const;
  /// Passes that one; it stays here until it is taken from the run. There must be one.
  void pass() { deaths_.pop_front(); }
  /// One that was passed is the last of those that were not.
  void add_again(MessageIndex index, DeathReason reason) { deaths_.push_back({index, reason}); }
  void clear();

  MessageRun& run() { return run_; }
  const MessageRun& run() const { return run_; }

 private:
  struct Death {
    MessageIndex index;
    DeathReason reason = DeathReason::rejected;
  };

  MessageRun run_;
  /// In the order in which they died; some may have been taken from the run.
  base::Ring<Death> deaths_;
};

}  // namespace warren::broker
