#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "raft/message.h"

namespace warren::raft {

/// Numbers the outputs that have something to persist.
using PersistToken = base::Id<struct PersistTokenTag>;

/// What a core wants done, in this order. Outputs must be persisted in the order they were taken;
/// writing several with one sync is fine. A crash may cut the writing of an output anywhere
/// between its parts, except that `reset` and `hard_state` must take effect together (one record).
struct Output {
  /// Pass to Core::persisted() once everything up to `entries` is durable. Zero when there is
  /// nothing to persist.
  PersistToken token;
  /// Drop the persisted log and snapshot, and start over with an empty state machine: all that
  /// belongs to an older generation. A snapshot or the log from its first entry will follow.
  bool reset = false;
  std::optional<HardState> hard_state;
  /// A received snapshot. It replaces the persisted snapshot and the whole persisted log, and the
  /// state machine's state.
  std::optional<Snapshot> snapshot;
  /// To append. The first one removes everything persisted at or after its index.
  std::vector<Entry> entries;
  /// May be sent at once, before anything above is durable: what depends on it is held back in
  /// the core until persisted() says so.
  std::vector<std::pair<MemberId, Message>> messages;
  /// To apply to the state machine, each once and in order; after `snapshot`. They are durable
  /// here already.
  std::vector<Entry> committed;
};

}  // namespace warren::raft
