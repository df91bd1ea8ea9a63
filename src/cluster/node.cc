#include "cluster/node.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "cluster/node_impl.h"

namespace warren::cluster {
namespace {

/// Rounds in which the parts of a node may give each other work within one turn. What is left
/// then goes on in the next turn.
constexpr int max_rounds = 100;
/// The memory of so many messages of this node to itself is kept from turn to turn.
constexpr std::size_t most_kept_messages = 4'096;
constexpr base::Duration silence_before_mark = std::chrono::seconds(1);

}  // namespace

void Node::Impl::propose(const catalog::Command& command, Done done) {
  metadata_->propose(command, base::never, std::move(done));
}

void Node::Impl::catch_up(std::function<void()> done) {
  metadata_->propose(std::span<const catalog::Command>(), base::never,
                     [done = std::move(done)](auto) { done(); });
}

void Node::Impl::on_changed(const std::vector<catalog::Change>& changes) {
  for (const catalog::Change& change : changes) {
    host_->on_change(change);
    channels_->on_change(change);
    if (std::holds_alternative<catalog::VhostRemoved>(change)) histories_->forget_missing();
    if (observer_) observer_(change);
  }
  bool is_about_nodes = std::ranges::any_of(changes, [](const auto& change) {
    return std::holds_alternative<catalog::NodeChanged>(change);
  });
  if (is_about_nodes) update_members();
}

void Node::Impl::on_replaced() {
  update_members();
  // A node that fell far behind sees all that it missed at once.
  if (host_->is_active()) host_->activate();
  channels_->refresh_all();
  histories_->forget_missing();
  if (replacement_observer_) replacement_observer_();
}

void Node::Impl::update_members() {
  are_members_changed_ = is_topology_changed_ = true;
  std::vector<NodeName> members;
  for (const auto& [name, node] : catalog().nodes()) members.push_back(name);
  // An empty or partly read catalog is no reason to forget whom to ask.
  bool is_known = std::ranges::find(members, options_.name) != members.end();
  if (!is_known || phase_ == NodePhase::starting || members == facts_.members) return;
  facts_.members = std::move(members);
  write_facts(*log_, facts_);
}

void Node::Impl::tick() {
  if (is_ending_log()) return;
  metadata_->tick();
  channels_->tick();
  host_->tick(now());
  tick_links();
  if (mark_at_ <= now()) {
    mark_at_ = base::never;
    log_->mark_synced(false);
    marked_end_ = log_->end();
  }
}

base::Time Node::Impl::deadline() const {
  if (is_ending_log()) return stop_by_;
  base::Time deadline = std::min({metadata_->deadline(), channels_->deadline(), host_->deadline(),
                                  membership_->deadline(), links_deadline()});
  if (phase_ == NodePhase::starting) {
    deadline = std::min(deadline, give_up_at());
    if (facts_.is_forced && !is_forced_)
      deadline = std::min(deadline, now() + std::chrono::milliseconds(100));
    // When that is over and another member accepts this node, only a link's end makes a difference.
    if (refused_since_ && *refused_since_ + std::chrono::seconds(1) > now())
      deadline = std::min(deadline, *refused_since_ + std::chrono::seconds(1));
  }
  if (phase_ == NodePhase::stopping) deadline = std::min(deadline, stop_by_);
  deadline = std::min(deadline, mark_at_);
  return deadline;
}

void Node::Impl::work_turn() {
  if (is_ending_log()) return log_->flush(false);
  bool wants_sync = phase_ == NodePhase::starting && log_->synced() < start_;
  channels_->begin_turn();
  for (int round = 0; round < max_rounds; ++round) {
    tell_members();
    membership_->work(now());
    bool is_busy = channels_->flush() || !inbox_.empty();
    reading_.swap(inbox_);
    for (auto& [from, message] : reading_) on_message(from, std::move(message));
    reading_.clear();
    if (reading_.capacity() > most_kept_messages) reading_ = {};
    while (metadata_->work(wants_sync)) is_busy = true;
    metadata_->compact_if_long();
    advance_phase();
    if (host_->is_awake()) {
      is_busy = true;
      wants_sync |= host_->work();
    }
    is_busy |= channels_->work();
    if (!is_busy) break;
  }
  for (storage::StreamId stream : log_->streams_to_move()) {
    if (stream == Metadata::stream) metadata_->compact();
    if (stream == facts_stream) write_facts(*log_, facts_);
  }
  channels_->end_turn();
  host_->move_old_records();
  host_->page();
  log_->flush(wants_sync);
  note_silence();
}

void Node::Impl::note_silence() {
  if (log_->end() == marked_end_) return;
  marked_end_ = log_->end();
  mark_at_ = now() + silence_before_mark;
}

/// Before an orderly stop all is made durable, and then said to be. From the first step on the node
/// hears nobody and does nothing more, so that nothing is delivered that is not on record.
bool Node::Impl::is_log_ended() {
  if (!log_->is_idle()) return false;
  switch (log_end_) {
    case LogEnd::open:
      if (host_->is_awake() || !inbox_.empty()) return false;
      log_end_ = LogEnd::flushed;
      facts_.led = host_->led_with_messages();
      write_facts(*log_, facts_);
      log_->flush(true);
      return false;
    case LogEnd::flushed:
      log_end_ = LogEnd::marked;
      log_->mark_synced(true);
      return log_->is_idle();
    case LogEnd::marked: return true;
  }
  return true;
}

void Node::Impl::end_turn() {
  if (phase_ == NodePhase::failed || phase_ == NodePhase::stopped) return;
  hand_over_vote();
  work_turn();
  advance_phase();
}

void Node::Impl::on_disk_done(storage::DiskToken token, base::Result<> result) {
  if (storage::SegmentStore::is_own(token)) {
    auto event = segments_->on_disk_done(token, std::move(result));
    // What the system dropped after a failed sync may look durable at the next one.
    if (event && !event->result && event->kind == storage::SegmentEvent::Kind::synced)
      return fail("the disk failed: " + event->result.error().text);
    if (event) host_->on_segment(std::move(*event));
    return;
  }
  storage::LogPosition before = log_->synced();
  log_->on_disk_done(token, std::move(result));
  if (log_->synced() == before) return;
  metadata_->on_synced();
  host_->on_synced();
}

void Node::Impl::on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) {
  auto event = segments_->on_disk_read(token, std::move(result));
  if (event) host_->on_segment(std::move(*event));
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

base::Result<std::unique_ptr<Node>> Node::start(NodeOptions options, storage::Disk& disk,
                                                base::Random random,
                                                const base::Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(options), disk, random, clock);
  TRY(impl->start());
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

NodePhase Node::phase() const { return impl_->phase_; }
const std::string& Node::failure() const { return impl_->failure_; }
const std::string& Node::uuid() const { return impl_->facts_.uuid; }
catalog::Incarnation Node::incarnation() const { return impl_->facts_.incarnation; }
catalog::ConnectionId Node::make_connection_id() { return impl_->make_connection_id(); }

void Node::tick() { impl_->tick(); }
base::Time Node::deadline() const { return impl_->deadline(); }
void Node::end_turn() { impl_->end_turn(); }

std::vector<catalog::NodeName> Node::peers_to_dial() const { return impl_->peers_to_dial(); }
bool Node::take_topology_changed() { return impl_->take_topology_changed(); }
void Node::on_link_up(const catalog::NodeName& peer) {
  impl_->on_link_up(peer);
}
void Node::on_link_bytes(const catalog::NodeName& peer, base::ByteView bytes) {
  impl_->on_link_bytes(peer, bytes);
}
void Node::on_link_down(const catalog::NodeName& peer) {
  impl_->on_link_down(peer);
}
void Node::on_peer_dead(const catalog::NodeName& peer) {
  impl_->on_peer_dead(peer);
}
std::vector<std::pair<catalog::NodeName, base::Bytes>> Node::take_frames() {
  return impl_->take_frames();
}
std::vector<catalog::NodeName> Node::take_hang_ups() { return impl_->take_hang_ups(); }
void Node::set_link_backlog(const catalog::NodeName& peer, std::size_t bytes) {
  impl_->set_link_backlog(peer, bytes);
}
void Node::on_disk_done(storage::DiskToken token, base::Result<> result) {
  impl_->on_disk_done(token, std::move(result));
}
void Node::on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) {
  impl_->on_disk_read(token, std::move(result));
}
void Node::request_stop() { impl_->request_stop(); }

void Node::propose(const catalog::Command& command, ProposeDone done) {
  impl_->propose_with_deadline(command, std::move(done));
}
void Node::query(const catalog::NodeName& peer, base::Bytes request, QueryDone done) {
  impl_->query(peer, std::move(request), std::move(done));
}
void Node::set_query_handler(QueryHandler handler) { impl_->query_handler_ = std::move(handler); }
void Node::post(const std::string& key, base::Bytes text) { impl_->post(key, std::move(text)); }
void Node::set_bulletin_observer(BulletinObserver observer) {
  impl_->set_bulletin_observer(std::move(observer));
}
void Node::set_change_observer(std::function<void(const catalog::Change&)> observer) {
  impl_->observer_ = std::move(observer);
}
void Node::set_replacement_observer(std::function<void()> observer) {
  impl_->replacement_observer_ = std::move(observer);
}

std::vector<QueueStatus> Node::led_queues() const {
  std::vector<QueueStatus> led;
  for (const QueueHost::Led& queue : impl_->host_->led())
    led.push_back({queue.queue, queue.state->counts(), queue.state->consumers()});
  return led;
}

std::vector<ReplicaStatus> Node::replicas() const {
  std::vector<ReplicaStatus> all;
  for (const Replica* replica : impl_->host_->replicas())
    all.push_back({replica->id(), replica->is_usable(), replica->last(), replica->commit(),
                   replica->contents()});
  return all;
}

std::vector<catalog::NodeName> Node::running_members() const {
  std::vector<catalog::NodeName> running;
  for (const auto& [name, node] : catalog().nodes())
    if (node.running) running.push_back(name);
  return running;
}

std::vector<catalog::NodeName> Node::linked_members() const {
  std::vector<catalog::NodeName> linked;
  for (const auto& [name, node] : catalog().nodes())
    if (name != node_name() && impl_->is_linked(name)) linked.push_back(name);
  return linked;
}

void Node::set_disk_short(bool is_short) { impl_->set_disk_short(is_short); }

std::vector<catalog::NodeName> Node::partitioned_members() const {
  std::vector<catalog::NodeName> cut_off;
  for (const NodeName& name : running_members())
    if (name != node_name() && impl_->membership_->is_cut_off(name, impl_->now()))
      cut_off.push_back(name);
  return cut_off;
}

}  // namespace warren::cluster
