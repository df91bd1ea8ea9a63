#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "catalog/catalog.h"
#include "cluster/link_message.h"
#include "raft/core.h"
#include "storage/log.h"

namespace warren::cluster {

/// The cluster's catalog on this node: a Raft member whose state machine is the catalog, with its
/// records in the node's log. Commands may be proposed on any node; those of other nodes than the
/// leader travel to it, and are sent again until they are applied, each taking effect once.
class Metadata {
 public:
  using Done = std::function<void(base::Result<catalog::Applied>)>;
  /// How far a list of commands came: at least one took effect.
  struct Progress {
    std::size_t applied = 0;
    catalog::Applied last;
    std::optional<base::Error> refusal;  ///< of the command after those
  };
  using ListDone = std::function<void(base::Result<Progress>)>;

  struct Events {
    std::function<void(const NodeName&, LinkMessage)> send;
    std::function<bool(const NodeName&)> is_linked;
    /// The catalog was changed by a command.
    std::function<void(const std::vector<catalog::Change>&)> changed;
    /// Whether this node may leave its cluster for one that was forced elsewhere.
    std::function<bool()> may_change_cluster;
    /// The catalog was replaced by a snapshot.
    std::function<void()> replaced;
    /// The catalog is empty: the cluster went on without this node (force_boot elsewhere), and
    /// everything will be read anew.
    std::function<void()> reset;
  };

  static constexpr storage::StreamId stream{2};

  /// `log` and `clock` must outlive it.
  Metadata(NodeName self, storage::Log& log, const base::Clock& clock, Events events);

  /// Recovery: each record of the stream in order. Then `start`.
  static void recover(raft::PersistentState& state, std::uint8_t kind, base::ByteView payload);
  base::Result<> start(raft::Options options, base::Random random, raft::PersistentState state,
                       catalog::Incarnation incarnation);
  /// Writes a state to an empty log, as if it had come from the core.
  void write_initial(const raft::PersistentState& state);

  const catalog::Catalog& catalog() const { return catalog_; }
  /// The core at the present time.
  raft::Core& core() {
    core_->advance(clock_.now());
    return *core_;
  }
  const raft::Core& core() const { return *core_; }
  /// What the catalog is made of: all entries up to that index, in that generation of the group.
  std::pair<raft::Generation, raft::LogIndex> applied() const {
    return {core_->generation(), core_->applied_index()};
  }
  bool is_leader() const { return core_->role() == raft::Role::leader; }

  /// `done` is called once: with the result when the command has been applied here, or with
  /// timeout after `deadline`, when it may still be applied later, or when a snapshot has brought
  /// what came of it.
  void propose(const catalog::Command& command, base::Time deadline, Done done);
  /// One command after the other up to the first that is refused, as one entry of the log.
  void propose(std::span<const catalog::Command> commands, base::Time deadline, ListDone done);

  void on_raft(const NodeName& from, const RaftFrame& frame);
  void on_propose(const NodeName& from, catalog::Incarnation incarnation, const Propose& message);
  void on_link_up(const NodeName& peer);
  void on_link_down(const NodeName& peer) { core().peer_unreachable(peer); }
  /// Proof that the run of `peer` that this node spoke with is over.
  void on_peer_dead(const NodeName& peer) { core().peer_dead(peer); }

  void tick();
  base::Time deadline() const;
  /// Sends, writes and applies; call until it returns false. `wants_sync` is set when something
  /// has to become durable.
  bool work(bool& wants_sync);
  void on_synced();
  /// Takes a snapshot of the catalog and drops the log before it. Only when `work` has nothing
  /// left to do.
  void compact();
  /// Compacts when the log has outgrown the snapshot, so that snapshots cost no more than the log.
  void compact_if_long();

 private:
  struct Pending {
    std::vector<base::Bytes> commands;
    base::Time deadline;
    base::Time send_again;
    ListDone done;
  };
  /// The numbers of a proposer's commands that have been applied.
  struct Proposer {
    catalog::Incarnation incarnation;
    std::uint64_t all_up_to = 0;
    std::set<std::uint64_t> above;
  };
  struct Persisting {
    storage::LogPosition position;
    raft::PersistToken token;
  };
  struct Compacting {
    storage::LogPosition position;
    raft::Snapshot snapshot;
  };

  void submit(std::uint64_t number, Pending& pending);
  void look_after_pending(base::Time now);
  void write(const raft::Output& output);
  storage::LogPosition append(std::uint8_t kind, base::ByteView payload);
  void write_entries(const std::vector<raft::Entry>& entries);
  void apply(const raft::Entry& entry);
  base::Result<Progress> apply(const std::vector<base::Bytes>& commands);
  bool is_first_time(const NodeName& proposer, catalog::Incarnation incarnation,
                     std::uint64_t number);
  base::Bytes snapshot_data() const;
  void restore(base::ByteView data);

  NodeName self_;
  storage::Log& log_;
  const base::Clock& clock_;
  Events events_;
  catalog::Incarnation incarnation_;
  std::unique_ptr<raft::Core> core_;
  catalog::Catalog catalog_;
  std::map<NodeName, Proposer> proposers_;

  std::map<std::uint64_t, Pending> pending_;
  /// No pending command has anything due before this.
  base::Time pending_due_ = base::never;
  std::uint64_t last_number_ = 0;
  std::optional<NodeName> known_leader_;

  bool has_refused_generation_ = false;
  raft::HardState hard_;  ///< as last written
  std::deque<Persisting> persisting_;
  std::optional<Compacting> compacting_;
  /// Of the latest snapshot, and of the commands applied since it was made.
  std::size_t snapshot_bytes_ = 0;
  std::size_t applied_bytes_ = 0;
};

}  // namespace warren::cluster
