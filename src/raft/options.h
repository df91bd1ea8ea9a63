#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "raft/configuration.h"

namespace warren::raft {

/// A deliberate fault, set by tests only: each breaks one rule that safety rests on, and the
/// tests must notice every one. The server never sets it.
enum class Mutation : std::uint8_t {
  none,
  commit_old_term,               ///< commits entries of older terms by counting (Figure 8)
  count_unpersisted_on_leader,   ///< the leader's own entries count before they are durable
  acknowledge_unpersisted,       ///< a follower acknowledges entries that are not durable
  skip_vote_persist,             ///< messages leave before the vote and term are durable
  vote_twice,                    ///< a vote is given although the term's vote is taken
  vote_without_log_check,        ///< a vote is given to a candidate with an older log
  effective_on_commit,           ///< a configuration takes effect when committed, not when appended
  keep_truncated_configuration,  ///< a truncated configuration stays in force
  change_before_current_term,    ///< a configuration change needs no commit in the current term
  change_while_uncommitted,      ///< a configuration change while another is uncommitted
  late_persist_counts,           ///< a late persisted() counts for entries that replaced others
  snapshot_keeps_log,            ///< a received snapshot leaves a conflicting log tail in place
  restart_keeps_log,             ///< a restart keeps log entries that conflict with the snapshot
  learner_counts,                ///< a learner's acknowledgement and vote count
  count_removed_leader,          ///< a leader that removes itself still counts itself
  accept_lower_generation,       ///< messages of a lower generation are acted upon
  keep_log_on_generation,        ///< a higher generation leaves the old log in place
  commit_past_match,             ///< a follower commits what it has not compared with the leader
  skip_pre_vote,                 ///< elections start without asking first
  forget_leader,                 ///< votes are given although a leader was just heard of
  skip_quorum_check,             ///< a leader that hears from nobody stays leader
  any_death_counts,              ///< any member's proven death is taken for the leader's
  last_ = any_death_counts,
};

struct Options {
  MemberId self;
  /// A follower that hears nothing waits for this long to twice as long before an election.
  base::Duration election_timeout = std::chrono::milliseconds(1000);
  /// Well below election_timeout.
  base::Duration heartbeat_interval = std::chrono::milliseconds(200);
  /// When the leader is proven dead the first voter by name stands at once, the next one so much
  /// later, and so on: two at once would split the votes. Well above the time of an election.
  base::Duration succession_step = std::chrono::milliseconds(100);
  /// Bounds of one AppendRequest; one entry goes even when it alone is larger.
  std::size_t max_append_entries = 1024;
  std::size_t max_append_bytes = 1 << 20;
  /// AppendRequests with entries on their way to one member whose entries are not durable there.
  std::size_t max_in_flight = 32;
  /// Entries that a leader takes beyond its commit index before propose() is refused.
  std::size_t max_uncommitted_entries = 1 << 16;
  /// Bound of Output::committed; one entry goes even when it alone is larger.
  std::size_t max_apply_bytes = 4 << 20;
  /// A snapshot that is not acknowledged for so long is sent again.
  base::Duration snapshot_retry = std::chrono::seconds(10);
  Mutation mutation = Mutation::none;
};

}  // namespace warren::raft
