#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "cluster/node_impl.h"

namespace warren::cluster {
namespace {

/// How long a forced node looks for others that run before it goes on without them.
constexpr base::Duration look_for_others = std::chrono::seconds(2);

std::string make_uuid(base::Random& random) {
  return fmt::format("{:016x}{:016x}", random.next(), random.next());
}

}  // namespace

Node::Impl::Impl(NodeOptions options, storage::Disk& disk, base::Random random,
                 const base::Clock& clock)
    : options_(std::move(options)), disk_(disk), random_(random), clock_(clock), started_(now()) {}

base::Result<> Node::Impl::start() {
  options_.log.salt = random_.next();
  log_ = std::make_unique<storage::Log>(disk_, options_.log);
  options_.segments.salt = random_.next();
  segments_ = std::make_unique<storage::SegmentStore>(disk_, options_.segments);
  TRY(segments_->find_files());
  host_ = std::make_unique<QueueHost>(*this, *log_, *segments_, options_.memory_budget);
  TRY_ASSIGN(RecoveredNode recovered, recover_node(disk_, host_.get()));
  log_->go_on(recovered.log);
  host_->finish_recovery();
  return make_parts(std::move(recovered));
}

std::uint64_t Node::Impl::id_base() const {
  // Ids of connections and channels: a hash of this run of this node above, a counter below.
  std::uint64_t hash = 0xCBF29CE484222325ull;
  auto mix = [&](std::uint64_t octet) { hash = (hash ^ octet) * 0x100000001B3ull; };
  for (char c : options_.name) mix(static_cast<unsigned char>(c));
  for (int i = 0; i < 8; ++i) mix((facts_.incarnation.value >> (8 * i)) & 0xFF);
  return hash << 36;
}

void Node::Impl::make_first(RecoveredNode& recovered) {
  is_recovered_state_new_ = true;
  recovered.facts = FactsRecord{make_uuid(random_), catalog::NodeKind::disc, {options_.name},
                                {}, false, {}, {}};
  recovered.raft = raft::bootstrap(options_.name);
}

base::Result<> Node::Impl::make_parts(RecoveredNode recovered) {
  if (!recovered.facts) make_first(recovered);
  facts_ = *recovered.facts;
  facts_.incarnation = std::max(facts_.incarnation.next(), options_.incarnation_floor);

  Metadata::Events events;
  events.send = [this](const NodeName& to, LinkMessage message) { send(to, std::move(message)); };
  events.is_linked = [this](const NodeName& peer) { return is_linked(peer); };
  events.changed = [this](const std::vector<catalog::Change>& changes) { on_changed(changes); };
  events.replaced = [this] { on_replaced(); };
  events.reset = [] {};
  events.may_change_cluster = [this] { return phase_ == NodePhase::starting; };
  metadata_ = std::make_unique<Metadata>(options_.name, *log_, clock_, std::move(events));
  if (is_recovered_state_new_) metadata_->write_initial(recovered.raft);

  raft::Options raft_options;
  raft_options.self = options_.name;
  raft_options.election_timeout = options_.election_timeout;
  raft_options.heartbeat_interval = options_.election_timeout / 5;
  raft_options.succession_step = options_.election_timeout / 10;
  TRY(metadata_->start(raft_options, base::Random(random_.next()), std::move(recovered.raft),
                       facts_.incarnation));
  membership_ = std::make_unique<Membership>(
      Membership::Options{options_.link_silence, options_.election_timeout}, options_.name,
      facts_.incarnation, *metadata_);
  channels_ = std::make_unique<Channels>(*this, clock_, ChannelId{id_base() + 1},
                                         options_.request_deadline);
  histories_ = std::make_unique<Histories>(*this);

  const bool were_deliveries_known = !facts_.led.empty();
  host_->set_known_deliveries(std::exchange(facts_.led, {}));
  write_facts(*log_, facts_);
  // Before anything is delivered that the marks do not tell of.
  if (were_deliveries_known) start_ = log_->end();
  if (is_recovered_state_new_) {
    for (const catalog::Command& command : catalog::Catalog::first_commands(options_.first_user))
      propose(command, [](auto) {});
    propose(catalog::AddNode{options_.name, facts_.kind, facts_.uuid}, [](auto) {});
  }
  base::log_info("node {} starts, run {}, members {}", options_.name, facts_.incarnation.value,
                 fmt::join(facts_.members, " "));
  return {};
}

void Node::Impl::begin_running() {
  phase_ = NodePhase::running;
  is_topology_changed_ = true;
  base::log_info("node {} is running", options_.name);
  host_->activate();
  channels_->refresh_all();
  // What is damaged was said, and what it cost; the files may go.
  log_->accept_damage();
  if (!facts_.is_forced) return;
  facts_.is_forced = false;
  std::vector<NodeName> forget;
  forget.swap(facts_.forget);
  write_facts(*log_, facts_);
  for (const NodeName& member : forget)
    propose(catalog::ForgetNode{member}, [member](base::Result<catalog::Applied> result) {
      if (!result) base::log_error("forgetting {}: {}", member, result.error().text);
    });
  if (is_forced_) elect_forced();
}

base::Time Node::Impl::give_up_at() const {
  // A forced node spends the first moments looking for the others, however short its wait is.
  base::Duration looking = facts_.is_forced ? look_for_others : base::Duration{};
  return started_ + options_.wait_for_members + looking;
}

void Node::Impl::force_if_alone() {
  // The mark only means that the node need not wait. Where the others run it joins them as ever:
  // what they confirmed meanwhile must not be lost.
  if (!facts_.is_forced || is_forced_) return;
  if (now() < started_ + look_for_others && facts_.members.size() > 1) return;
  if (metadata_->core().leader()) return;
  is_forced_ = true;
  base::log_warning("forced boot: going on without the other members");
  metadata_->core().adopt_new_generation();
  membership_->force();
}

void Node::Impl::elect_forced() {
  // The operator said to go on without the others: what this node holds is what there is.
  for (const auto& [id, queue] : catalog().queues()) {
    const catalog::Node* leader = catalog().find_node(queue.leader);
    const Replica* replica = host_->find(id);
    if ((leader && leader->running) || !replica || !replica->is_usable()) continue;
    base::log_warning("queue '{}' in vhost '{}': forced to go on from this node's copy",
                      queue.name.name, queue.name.vhost);
    propose(catalog::ElectLeader{id, queue.epoch, options_.name, true}, [](auto) {});
  }
}

std::string Node::Impl::waiting_text() const {
  std::vector<NodeName> missing;
  for (const NodeName& voter : metadata_->core().configuration().voters)
    if (voter != options_.name && !is_linked(voter)) missing.push_back(voter);
  if (missing.empty())
    for (const NodeName& member : facts_.members)
      if (member != options_.name && !is_linked(member)) missing.push_back(member);
  return fmt::format(
      "Timeout contacting cluster nodes: [{}].\n\nThis cluster node was shut down while other "
      "nodes were still running.\nTo avoid losing data, you should start the other nodes first, "
      "then\nstart this one. To force this node to start, first invoke\n\"rabbitmqctl force_boot\"."
      " If you do so, any changes made on other\ncluster nodes after this one was shut down may "
      "be lost.",
      fmt::join(missing, ","));
}

void Node::Impl::fail(std::string text) {
  if (phase_ == NodePhase::failed) return;
  phase_ = NodePhase::failed;
  failure_ = std::move(text);
  base::log_error("node {}: {}", options_.name, failure_);
}

void Node::Impl::advance_phase() {
  if (log_->failed()) return fail("the disk failed: " + log_->failed()->text);
  if (phase_ == NodePhase::running) return;
  const catalog::Node* own = catalog().find_node(options_.name);
  bool is_up = own && own->running && own->incarnation == facts_.incarnation;
  switch (phase_) {
    case NodePhase::starting:
      if (is_up && log_->synced() >= start_) return begin_running();
      force_if_alone();
      if (refused_since_ && now() >= *refused_since_ + std::chrono::seconds(1) &&
          std::ranges::none_of(links_, [](auto& link) {
            return link.second.is_accepted && !link.second.has_refused;
          }))
        return fail(refusal_text_);
      if (now() >= give_up_at()) return fail(waiting_text());
      return;
    case NodePhase::stopping: {
      bool has_vote = metadata_->core().configuration().is_voter(options_.name);
      bool may_end = (!is_up && !has_vote) || running_others() == 0;
      bool is_ended = (may_end || is_ending_log()) && is_log_ended();
      if (!is_ended && now() < stop_by_) return;
      phase_ = NodePhase::stopped;
      base::log_info("node {} has stopped", options_.name);
      return;
    }
    default: return;
  }
}

std::size_t Node::Impl::running_others() const {
  return static_cast<std::size_t>(std::ranges::count_if(catalog().nodes(), [&](const auto& node) {
    return node.first != options_.name && node.second.running && is_linked(node.first);
  }));
}

void Node::Impl::request_stop() {
  if (phase_ == NodePhase::stopping || phase_ == NodePhase::stopped) return;
  bool was_running = phase_ == NodePhase::running;
  phase_ = was_running ? NodePhase::stopping : NodePhase::stopped;
  is_topology_changed_ = true;
  stop_by_ = now() + options_.stop_deadline;
  if (!was_running) return;
  base::log_info("node {} is stopping", options_.name);
  for (auto& [peer, link] : links_)
    if (link.is_accepted) send(peer, Leaving{});
  if (running_others() == 0) return;
  propose(catalog::NodesDown{{{options_.name, facts_.incarnation}}}, [](auto) {});
  membership_->on_leaving(options_.name);
  hand_over_vote();
}

void Node::Impl::hand_over_vote() {
  raft::Core& core = metadata_->core();
  if (phase_ != NodePhase::stopping || core.role() != raft::Role::leader) return;
  // The next leader takes this node's vote away; this one can't take it from itself before its
  // queues have new leaders.
  const catalog::Node* own = catalog().find_node(options_.name);
  if (own && own->running) return;
  for (const raft::PeerStatus& peer : core.peers())
    if (peer.is_active && core.configuration().is_voter(peer.member) && is_linked(peer.member))
      return core.transfer_leadership(peer.member);
}

}  // namespace warren::cluster
