#pragma once

#include <deque>

#include "raft/output.h"

namespace warren::raft {

/// Knows which part of the log is durable, while outputs are on their way to the disk and entries
/// in them may meanwhile be replaced by others at the same index.
class Persistence {
 public:
  /// What a restart found on the disk is durable.
  void start(LogIndex durable) { durable_ = durable; }

  /// The log is durable up to here.
  LogIndex durable() const { return durable_; }
  /// Whether a hard state is on its way to the disk.
  bool is_hard_state_pending() const;

  /// An output was taken that persists the log up to `last` (zero: nothing of it).
  PersistToken add(LogIndex last, bool has_hard_state);
  /// Outputs up to `token` are durable. Tokens may be skipped and repeated.
  void persisted(PersistToken token);
  /// Entries at and after `index` were replaced: what is durable of the old ones, now or through a
  /// late persisted(), does not count for the new ones.
  void truncate_from(LogIndex index);

 private:
  struct Pending {
    PersistToken token;
    LogIndex last;
    bool has_hard_state;
  };
  LogIndex durable_;
  PersistToken last_token_;
  std::deque<Pending> pending_;
};

}  // namespace warren::raft
