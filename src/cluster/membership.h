#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "cluster/link_message.h"
#include "cluster/metadata.h"

namespace warren::cluster {

/// What is known of another member's application.
enum class PeerState {
  silent,  ///< no link; nothing is known
  linked,  ///< its link is up and it has said hello
  dead,    ///< proven not to run
};

/// Who is there. Keeps what the links tell of each member and, on the node that leads the
/// catalog's group, turns it into changes: members come up and go down in the catalog, and voters
/// follow them. The voters are the disc nodes that run: a node that stops, or is proven dead,
/// loses its vote, down to one voter, so that the last one to stop can start alone.
class Membership {
 public:
  struct Options {
    base::Duration link_silence;
    base::Duration election_timeout;
  };

  Membership(Options options, NodeName self, catalog::Incarnation incarnation, Metadata& metadata);

  void on_linked(const NodeName& peer, const Hello& hello);
  void on_link_down(const NodeName& peer, base::Time now);
  void on_dead(const NodeName& peer);
  void on_leaving(const NodeName& peer);

  PeerState state(const NodeName& peer) const;
  catalog::Incarnation incarnation(const NodeName& peer) const;
  bool is_linked(const NodeName& peer) const { return state(peer) == PeerState::linked; }
  /// Neither linked nor proven dead, and so for longer than a proof takes.
  bool is_cut_off(const NodeName& peer, base::Time now) const;

  /// Everybody who is not linked is gone for good (force_boot).
  void force();

  /// Proposes what is to be changed. Call when anything changed, and when the deadline is reached;
  /// it costs next to nothing while everything is as it should be.
  void work(base::Time now);
  base::Time deadline() const { return deadline_; }

 private:
  struct Peer {
    PeerState state = PeerState::silent;
    catalog::Incarnation incarnation;
    bool is_leaving = false;
    base::Time silent_since{};
  };

  /// What a look at the members depends on beside time and what is known of the peers.
  struct Basis {
    raft::Role role;
    raft::Generation generation;
    raft::Term term, last_term;
    raft::LogIndex last, commit, applied;
    int proposals;
    bool operator==(const Basis&) const = default;
  };

  Basis basis() const;
  void force_if_other_half_is_dead();
  bool is_up_myself() const;
  bool is_in_every_quorum() const;
  bool has_left(const NodeName& member) const;
  bool is_run_over(const catalog::Node& node, base::Time now) const;
  bool is_everybody_classified(base::Time now);
  void update_running(base::Time now);
  void update_voters();
  bool shall_vote(const NodeName& name, bool is_voter) const;
  raft::Configuration wanted_configuration() const;
  bool is_caught_up(const NodeName& member) const;
  bool is_as_wanted() const;

  Options options_;
  NodeName self_;
  catalog::Incarnation incarnation_;
  Metadata& metadata_;
  std::map<NodeName, Peer> peers_;
  base::Time leading_since_ = base::never;
  base::Time deadline_ = base::never;
  bool is_forced_ = false;
  /// With this there was nothing to do, nor to wait for. Unset by whatever is learnt of a peer.
  std::optional<Basis> settled_;
  /// A proposal of ours is not answered yet.
  std::shared_ptr<int> proposals_ = std::make_shared<int>(0);
};

}  // namespace warren::cluster
