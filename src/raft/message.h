#pragma once

#include <variant>
#include <vector>

#include "raft/entry.h"

namespace warren::raft {

/// Asks whether a vote would be given in the term after the sender's. It changes nothing at the
/// receiver, so that a member that was away does not disturb a leader that the others have.
/// `dead_leader` is not empty when the sender has proof that the leader of that name is dead: the
/// receiver need not wait until it has not heard of it for long enough.
struct PreVoteRequest {
  LogIndex last_index{};
  Term last_term{};
  MemberId dead_leader{};
  bool operator==(const PreVoteRequest&) const = default;
};

/// `asked_in` is the term that the request carried; the message's own term may be lower.
struct PreVoteResponse {
  Term asked_in{};
  bool granted = false;
  bool operator==(const PreVoteResponse&) const = default;
};

/// Asks for the vote in the message's term. `transfer`: the old leader asked for this election,
/// so it goes ahead although a leader was heard of a moment ago. `dead_leader` as above.
struct VoteRequest {
  LogIndex last_index{};
  Term last_term{};
  bool transfer = false;
  MemberId dead_leader{};
  bool operator==(const VoteRequest&) const = default;
};

struct VoteResponse {
  bool granted = false;
  bool operator==(const VoteResponse&) const = default;
};

/// Entries that follow (previous_index, previous_term); without entries a heartbeat or a probe.
struct AppendRequest {
  LogIndex previous_index{};
  Term previous_term{};
  LogIndex commit{};
  std::vector<Entry> entries{};
  bool operator==(const AppendRequest&) const = default;
};

/// Also answers a SnapshotRequest. When accepted, the sender's log equals the leader's up to
/// `matched`, and of that everything up to `durable` is on its disk. When rejected,
/// (hint_index, hint_term) is the last place of its log where the two may still agree.
struct AppendResponse {
  bool accepted = false;
  LogIndex previous_index{};  ///< of the request that is rejected
  LogIndex matched{};
  LogIndex durable{};
  LogIndex hint_index{};
  Term hint_term{};
  bool operator==(const AppendResponse&) const = default;
};

/// A whole snapshot; its size is bounded by whoever calls Core::compact().
struct SnapshotRequest {
  Snapshot snapshot{};
  bool operator==(const SnapshotRequest&) const = default;
};

/// The leader asks the receiver to hold an election at once.
struct TimeoutNow {
  bool operator==(const TimeoutNow&) const = default;
};

/// `generation` and `term` are the sender's when it wrote the message. Messages may be lost,
/// repeated and reordered.
struct Message {
  using Body = std::variant<PreVoteRequest, PreVoteResponse, VoteRequest, VoteResponse,
                            AppendRequest, AppendResponse, SnapshotRequest, TimeoutNow>;
  Generation generation{};
  Term term{};
  Body body;
  bool operator==(const Message&) const = default;
};

/// Whether the parts of a message agree with each other: entries follow on previous_index without
/// gaps, terms do not fall or exceed the message's, configurations decode, indexes stay below
/// 2^62. A core ignores a message that is not well formed.
bool is_well_formed(const Message& message);

}  // namespace warren::raft
