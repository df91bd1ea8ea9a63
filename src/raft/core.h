#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "raft/configuration_history.h"
#include "raft/log.h"
#include "raft/message.h"
#include "raft/options.h"
#include "raft/output.h"
#include "raft/persistence.h"
#include "raft/progress.h"

namespace warren::raft {

enum class Role { follower, pre_candidate, candidate, leader };

/// How far a leader has brought another member.
struct PeerStatus {
  MemberId member;
  LogIndex match;          ///< durable there up to here
  bool is_active = false;  ///< heard from within an election timeout
};

/// One member's part in the agreement on a log: events in, an Output out. It does no I/O, has no
/// clock, and gives the same outputs for the same events.
///
/// A driver's turn: tick(now), then whatever happened (receive, propose, persisted...), then
/// take_output() while has_output(), and a timer at deadline(). Time moves only in tick(), so a
/// turn begins with it. The core does not call back; its driver may live on any one thread.
///
/// A core made of an empty PersistentState waits, silent, until a leader adds it. Start a cluster
/// with bootstrap() on one member and add the others as learners, then as voters.
class Core {
 public:
  /// `state` must pass check(). Everything in it counts as durable.
  Core(Options options, base::Random random, PersistentState state);

  /// Time goes on, never back. What is due happens in tick().
  void advance(base::Time now) { now_ = std::max(now_, now); }
  void tick(base::Time now);
  /// When tick() must be called next, at the latest.
  base::Time deadline() const;
  /// A message that `from`, authenticated by the caller, sent to this member.
  void receive(const MemberId& from, Message message);
  /// Everything that outputs up to `token` asked to persist is durable.
  void persisted(PersistToken token);

  /// Appends a command and gives the index at which it will come out of Output::committed if it
  /// commits; an entry of another term may come out there instead, which means that this one is
  /// lost. Needs neither the disk nor the others first. Error `unavailable` when this member is
  /// not the leader, is handing leadership over, or has too many uncommitted entries.
  base::Result<LogIndex> propose(base::Bytes command);
  /// Appends a configuration; it is in force at once. At most one voter may come or go, learners
  /// as wanted. Make a member a learner and wait until its PeerStatus::match is near last_index()
  /// before it becomes a voter. Errors: `unavailable` as in propose(), `not_allowed` while another
  /// change is uncommitted or nothing of this term is committed yet (try again soon),
  /// `invalid_argument`.
  base::Result<> propose_configuration(Configuration configuration);
  /// Brings `to`, a voter, up to date and asks it to take over. Proposals are refused until it
  /// has, or until an election timeout has passed. Does nothing on other members.
  void transfer_leadership(const MemberId& to);

  /// The link to `member` came up, or broke. Hints only, but without them a leader notices lost
  /// messages a heartbeat late, and a lost snapshot after Options::snapshot_retry.
  void peer_reachable(const MemberId& member);
  void peer_unreachable(const MemberId& member);
  /// The caller has proof that the process of `member` with which this core spoke is dead. When it
  /// was the leader, this member need not wait out the election timeout, nor do those that it asks
  /// for their votes. Only a hint: a false one can cost the leader its office, and no entry.
  void peer_dead(const MemberId& member);

  /// A snapshot of the state machine after the entry at `index`, which must be applied and not
  /// before the latest snapshot: `data` with what the core knows.
  Snapshot make_snapshot(LogIndex index, base::Bytes data) const;
  /// Drops the log up to the snapshot's index. The snapshot comes from make_snapshot() and is
  /// durable. One that is older than the latest is ignored.
  void compact(Snapshot snapshot);

  /// Makes this member the leader of `configuration`, which has it as a voter, in a new term and
  /// without asking anybody. The caller guarantees that no other quorum can exist or come to be:
  /// the members of the present configuration that are left out are dead for certain (or will never
  /// run with their present disk and generation), the other voters of `configuration` do not do the
  /// same, and this member's log is the longest (last term, last index) among them. In a cluster
  /// of two voters whose other half is proven dead all of that is true of {self}, and nothing
  /// committed is lost, because commits needed both.
  void force_configuration(Configuration configuration);
  /// Leaves the old quorum behind: the next generation, with this member as its only voter and its
  /// log as the truth. Whoever is added later drops all that it has, also what the old quorum
  /// committed without this member. Two members that both do it split the cluster for good. The
  /// others get the snapshot, if the log was ever compacted, or else the log from its first entry.
  /// It is done when the configuration is committed; after a crash before that, do it again.
  void adopt_new_generation();

  bool has_output() const;
  Output take_output();

  Role role() const { return role_; }
  /// Who leads this term, as far as known.
  const std::optional<MemberId>& leader() const { return leader_; }
  Generation generation() const { return hard_.generation; }
  Term term() const { return hard_.term; }
  /// Known to be committed; the entries may not all be here or durable.
  LogIndex commit_index() const { return commit_; }
  LogIndex last_index() const { return log_.last_index(); }
  /// The last entry handed out in Output::committed or covered by Output::snapshot.
  LogIndex applied_index() const { return applied_; }
  LogIndex durable_index() const { return persistence_.durable(); }
  /// Where the log begins: the index of the latest snapshot.
  LogIndex snapshot_index() const { return log_.base_index(); }
  /// The configuration in force: the latest in the log, committed or not.
  const Configuration& configuration() const;
  bool is_configuration_committed() const { return history_.latest_index() <= commit_; }
  /// The other members, sorted; empty unless this member leads.
  std::vector<PeerStatus> peers() const;
  /// The entries in memory, for checks.
  const Log& log() const { return log_; }

 private:
  using Outgoing = std::pair<MemberId, Message>;

  // core.cc
  bool is_mutated(Mutation mutation) const { return options_.mutation == mutation; }
  void dispatch(const MemberId& from, Message& message);
  bool raise_term(const Message& message);
  void answer_old_term(const MemberId& from, const Message& message);
  void send(const MemberId& to, Message::Body body);
  void release_held();
  void become_follower(Term term, std::optional<MemberId> leader);
  void load(PersistentState state);
  void append_entry(EntryKind kind, base::Bytes data);
  void note_configuration(const Entry& entry);
  void advance_commit(LogIndex commit);
  LogIndex last_to_apply() const;
  bool is_hard_state_unsafe() const;

  // election.cc
  void arm_election();
  bool hears_leader() const;
  bool hears_leader_in_spite_of(const MemberId& proven_dead) const;
  bool is_up_to_date(LogIndex last_index, Term last_term) const;
  std::size_t count_votes() const;
  bool may_stand() const;
  void start_pre_vote();
  void start_vote(bool transfer);
  void become_leader(EntryKind first_kind, base::Bytes first_data);
  void handle(const MemberId& from, const PreVoteRequest& request, Term term);
  void handle(const MemberId& from, const PreVoteResponse& response, Term term);
  void handle(const MemberId& from, const VoteRequest& request, Term term);
  void handle(const MemberId& from, const VoteResponse& response, Term term);
  void handle(const MemberId& from, const TimeoutNow& request, Term term);

  // append.cc: the follower's side
  bool follow(const MemberId& from);
  void handle(const MemberId& from, AppendRequest& request, Term term);
  void accept_entries(std::vector<Entry>& entries);
  void acknowledge();
  void handle(const MemberId& from, SnapshotRequest& request, Term term);
  void install(Snapshot snapshot);

  // replication.cc: the leader's side
  void lead(base::Time now);
  bool has_quorum_contact() const;
  void broadcast();
  void replicate(const MemberId& member, Progress& progress);
  void send_heartbeat(const MemberId& member, Progress& progress);
  void send_append(const MemberId& member, Progress& progress, std::vector<Entry> entries);
  bool is_snapshot_needed(const Progress& progress) const;
  void send_snapshot(const MemberId& member, Progress& progress);
  void handle(const MemberId& from, const AppendResponse& response, Term term);
  void accepted(Progress& progress, const AppendResponse& response);
  void rejected(Progress& progress, const AppendResponse& response);
  void count_commit();
  void try_transfer();

  // membership.cc
  base::Result<> check_leading() const;
  void track_members();
  void forget_removed();
  void leave_if_removed();
  void join_generation(Generation generation, Term term);

  Options options_;
  base::Random random_;
  base::Time now_{};
  bool has_started_ = false;

  HardState hard_;
  Log log_;
  ConfigurationHistory history_;
  std::optional<Snapshot> snapshot_;
  LogIndex commit_;
  LogIndex applied_;

  Role role_ = Role::follower;
  std::optional<MemberId> leader_;
  base::Time leader_contact_{};
  /// The leader that was proven dead in this term, or empty.
  MemberId dead_leader_;
  base::Time election_deadline_ = base::Time::min();
  std::set<MemberId> votes_;
  LogIndex matched_;  ///< a follower's log equals its leader's up to here

  std::map<MemberId, Progress> progress_;
  base::Time heartbeat_deadline_{};
  bool has_news_ = false;  ///< the leader has something to tell the others
  std::optional<MemberId> transfer_to_;
  base::Time transfer_deadline_{};

  Persistence persistence_;
  HardState taken_hard_;  ///< as the last output had it
  bool staged_reset_ = false;
  std::optional<Snapshot> staged_snapshot_;
  LogIndex staged_from_;  ///< the first entry that no output had yet
  std::vector<Outgoing> messages_;
  std::vector<Outgoing> held_;  ///< waiting for the hard state
};

}  // namespace warren::raft
