#include "cluster/membership.h"

#include <algorithm>

#include "base/log.h"

namespace warren::cluster {
namespace {

/// After all nodes were killed, how long a new leader waits to see who is back before it decides
/// about those that it does not see: whoever is missing then must catch up later.
constexpr base::Duration gathering = std::chrono::seconds(3);
/// A learner this close to the leader's log gets its vote back.
constexpr std::uint64_t near_entries = 100;
constexpr base::Duration look_again = std::chrono::milliseconds(50);
/// Seeking the proof that a member died, and putting it into the catalog, takes less than that.
constexpr base::Duration proof_time = std::chrono::seconds(1);

bool contains(const std::vector<NodeName>& names, const NodeName& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

Membership::Membership(Options options, NodeName self, catalog::Incarnation incarnation,
                       Metadata& metadata)
    : options_(options), self_(std::move(self)), incarnation_(incarnation), metadata_(metadata) {}

void Membership::on_linked(const NodeName& peer, const Hello& hello) {
  settled_.reset();
  peers_[peer] = Peer{PeerState::linked, hello.incarnation, false, {}};
}

void Membership::on_link_down(const NodeName& peer, base::Time now) {
  settled_.reset();
  Peer& state = peers_[peer];
  if (state.state == PeerState::linked) state.state = PeerState::silent;
  state.silent_since = now;
}

void Membership::on_dead(const NodeName& peer) {
  settled_.reset();
  Peer& state = peers_[peer];
  if (state.state == PeerState::linked) return;  // it is back already
  state.state = PeerState::dead;
}

void Membership::on_leaving(const NodeName& peer) {
  settled_.reset();
  peers_[peer].is_leaving = true;
}

PeerState Membership::state(const NodeName& peer) const {
  auto found = peers_.find(peer);
  return found == peers_.end() ? PeerState::silent : found->second.state;
}

catalog::Incarnation Membership::incarnation(const NodeName& peer) const {
  auto found = peers_.find(peer);
  return found == peers_.end() ? catalog::Incarnation{} : found->second.incarnation;
}

void Membership::force() {
  settled_.reset();
  is_forced_ = true;
}

bool Membership::is_up_myself() const {
  const catalog::Node* own = metadata_.catalog().find_node(self_);
  return own && own->running && own->incarnation == incarnation_ && !has_left(self_);
}

bool Membership::has_left(const NodeName& member) const {
  auto found = peers_.find(member);
  return found != peers_.end() &&
         (found->second.is_leaving || found->second.state == PeerState::dead);
}

/// Whether nobody could agree on anything without this node, as far back as configurations may
/// still be in force elsewhere: the dead come back with what their disks hold.
bool Membership::is_in_every_quorum() const {
  const raft::Core& core = metadata_.core();
  auto needs_me = [this](const raft::Configuration& configuration) {
    return configuration.voters.size() <= 2 && configuration.is_voter(self_);
  };
  if (!needs_me(core.make_snapshot(core.applied_index(), {}).configuration)) return false;
  for (auto index = core.applied_index().next(); index <= core.last_index(); index = index.next()) {
    const raft::Entry& entry = core.log().at(index);
    if (entry.kind != raft::EntryKind::configuration) continue;
    auto configuration = raft::decode_configuration(entry.data);
    if (!configuration || !needs_me(*configuration)) return false;
  }
  return true;
}

void Membership::force_if_other_half_is_dead() {
  // Only a run that was up when the other half died knows all that the two had agreed on. After a
  // restart the other one may have gone on alone and then died, and one that leaves may have lost
  // its vote without having heard of it.
  if (!is_up_myself()) return;
  raft::Core& core = metadata_.core();
  const raft::Configuration& configuration = core.configuration();
  if (core.role() == raft::Role::leader && core.is_configuration_committed()) return;
  if (configuration.voters.size() != 2 || !configuration.is_voter(self_)) return;
  const NodeName& other = configuration.voters[configuration.voters[0] == self_ ? 1 : 0];
  if (state(other) != PeerState::dead || !is_in_every_quorum()) return;
  raft::Configuration alone = configuration;
  alone.voters = {self_};
  alone.learners.push_back(other);
  std::ranges::sort(alone.learners);
  base::log_warning("node {} is proven dead and was the other half of the voters: going on alone",
                    other);
  core.force_configuration(std::move(alone));
}

bool Membership::is_cut_off(const NodeName& peer, base::Time now) const {
  auto found = peers_.find(peer);
  if (found == peers_.end()) return true;
  return found->second.state == PeerState::silent && now >= found->second.silent_since + proof_time;
}

bool Membership::is_run_over(const catalog::Node& node, base::Time now) const {
  if (node.name == self_) return node.incarnation != incarnation_;
  if (is_forced_ && state(node.name) != PeerState::linked) return true;
  auto found = peers_.find(node.name);
  if (found == peers_.end())
    return leading_since_ != base::never && now >= leading_since_ + options_.link_silence;
  const Peer& peer = found->second;
  switch (peer.state) {
    case PeerState::dead: return true;
    case PeerState::linked: return peer.incarnation != node.incarnation;
    case PeerState::silent:
      return now >= std::max(peer.silent_since, leading_since_) + options_.link_silence;
  }
  return false;
}

bool Membership::is_everybody_classified(base::Time now) {
  const catalog::Node* own = metadata_.catalog().find_node(self_);
  // Only a leader that was away itself may face a cluster of which everybody was away.
  if (!own || !own->running || own->incarnation == incarnation_ || is_forced_) return true;
  if (now >= leading_since_ + gathering) return true;
  deadline_ = std::min(deadline_, leading_since_ + gathering);
  return std::ranges::all_of(metadata_.catalog().nodes(), [&](const auto& entry) {
    return entry.first == self_ || !entry.second.running ||
           state(entry.first) != PeerState::silent;
  });
}

void Membership::update_running(base::Time now) {
  if (*proposals_ > 0 || !is_everybody_classified(now)) return;
  auto propose = [this](catalog::Command command) {
    ++*proposals_;
    metadata_.propose(command, base::never, [proposals = proposals_](auto) { --*proposals; });
  };
  catalog::NodesDown down;
  for (const auto& [name, node] : metadata_.catalog().nodes()) {
    if (!node.running) continue;
    if (is_run_over(node, now))
      down.nodes.push_back({name, node.incarnation});
    else if (name != self_ && state(name) == PeerState::silent)
      deadline_ = std::min(deadline_, now + options_.link_silence / 4);
  }
  if (!down.nodes.empty()) propose(down);
  for (const auto& [name, node] : metadata_.catalog().nodes()) {
    catalog::Incarnation run = name == self_ ? incarnation_ : incarnation(name);
    auto peer = peers_.find(name);
    bool is_leaving = peer != peers_.end() && peer->second.is_leaving;
    bool is_here = name == self_ || state(name) == PeerState::linked;
    bool is_up = node.running && node.incarnation == run;
    if (is_here && !is_leaving && !is_up && run >= node.incarnation)
      propose(catalog::NodeUp{name, run});
  }
}

bool Membership::is_caught_up(const NodeName& member) const {
  for (const raft::PeerStatus& peer : metadata_.core().peers())
    if (peer.member == member)
      return peer.is_active &&
             peer.match.value + near_entries >= metadata_.core().last_index().value;
  return false;
}

bool Membership::shall_vote(const NodeName& name, bool is_voter) const {
  const catalog::Node* node = metadata_.catalog().find_node(name);
  if (name == self_) return is_voter;  // a leader does not take its own vote; see hand_over_vote
  if (!node || node->kind == catalog::NodeKind::ram) return false;
  if (!is_voter)
    return node->running && state(name) == PeerState::linked && is_caught_up(name);
  if (node->running) return true;
  // A vote is taken only from a node that knows of it or does not run: one that was cut off, and
  // may be back, could otherwise think that it is still half of the voters.
  return !has_left(name) && !(is_forced_ && state(name) == PeerState::silent);
}

raft::Configuration Membership::wanted_configuration() const {
  const raft::Configuration& current = metadata_.core().configuration();
  std::set<NodeName> members(current.voters.begin(), current.voters.end());
  for (const auto& [name, node] : metadata_.catalog().nodes()) members.insert(name);
  raft::Configuration wanted;
  bool is_vote_changed = false;
  for (const NodeName& name : members) {
    bool is_voter = current.is_voter(name);
    bool has_vote = is_vote_changed ? is_voter : shall_vote(name, is_voter);
    is_vote_changed |= has_vote != is_voter;  // one at a time
    if (has_vote)
      wanted.voters.push_back(name);
    else if (metadata_.catalog().find_node(name))
      wanted.learners.push_back(name);
  }
  return wanted;
}

void Membership::update_voters() {
  raft::Core& core = metadata_.core();
  if (!metadata_.catalog().find_node(self_)) return;
  raft::Configuration wanted = wanted_configuration();
  if (wanted == core.configuration() || !contains(wanted.voters, self_)) return;
  if (auto changed = core.propose_configuration(wanted); !changed)
    base::log_debug("voters not changed yet: {}", changed.error().text);
}

/// The catalog and the configuration follow from the log and from how far it is applied; which log
/// it is follows from its last entry.
Membership::Basis Membership::basis() const {
  const raft::Core& core = metadata_.core();
  return {core.role(),       core.generation(),   core.term(),          core.log().last_term(),
          core.last_index(), core.commit_index(), core.applied_index(), *proposals_};
}

bool Membership::is_as_wanted() const {
  const raft::Core& core = metadata_.core();
  if (*proposals_ > 0 || !core.is_configuration_committed()) return false;
  if (wanted_configuration() != core.configuration()) return false;
  return std::ranges::none_of(metadata_.catalog().nodes(), [&](const auto& entry) {
    const auto& [name, node] = entry;
    return node.running && node.kind == catalog::NodeKind::disc &&
           !core.configuration().is_voter(name);
  });
}

void Membership::work(base::Time now) {
  const Basis before = basis();
  if (settled_ == before) return;
  settled_.reset();
  deadline_ = base::never;
  force_if_other_half_is_dead();
  if (metadata_.is_leader()) {
    if (leading_since_ == base::never) leading_since_ = now;
    update_running(now);
    update_voters();
    if (!is_as_wanted()) deadline_ = std::min(deadline_, now + look_again);
  } else {
    leading_since_ = base::never;
  }
  if (deadline_ == base::never) settled_ = before;
}

}  // namespace warren::cluster
