#include "cluster/queue_host.h"

#include <algorithm>

#include "base/log.h"

namespace warren::cluster {

QueueHost::QueueHost(QueueContext& context, storage::Log& log) : context_(context), log_(log) {}

void QueueHost::recover(storage::LogPosition position, storage::StreamId stream,
                        std::uint8_t kind, base::ByteView payload) {
  Hosted& hosted = hosted_[Replica::queue_of(stream)];
  if (!hosted.replica)
    hosted.replica = std::make_unique<Replica>(Replica::queue_of(stream), true, log_);
  hosted.replica->recover(position, kind, payload);
}

void QueueHost::finish_recovery() {
  for (auto& [id, hosted] : hosted_) hosted.replica->finish_recovery();
}

void QueueHost::activate() {
  is_active_ = true;
  std::vector<QueueId> unknown;
  for (const auto& [id, hosted] : hosted_)
    if (!context_.catalog().find_queue(id)) unknown.push_back(id);
  for (QueueId id : unknown) drop(id);
  for (const auto& [id, queue] : context_.catalog().queues()) place(id);
}

void QueueHost::on_change(const catalog::Change& change) {
  if (!is_active_) return;
  if (const auto* added = std::get_if<catalog::QueueAdded>(&change))
    place(added->queue);
  else if (const auto* placed = std::get_if<catalog::QueuePlaced>(&change))
    place(placed->queue);
  else if (const auto* removed = std::get_if<catalog::QueueRemoved>(&change))
    drop(removed->queue.id);
  else if (std::holds_alternative<catalog::NodeChanged>(change))
    for (auto& [id, hosted] : hosted_)
      if (hosted.leader) hosted.leader->on_catalog_changed();
}

void QueueHost::place(QueueId id) {
  const catalog::Queue* queue = context_.catalog().find_queue(id);
  if (!queue) return drop(id);
  bool is_replica = std::ranges::find(queue->replicas, context_.self()) != queue->replicas.end();
  if (!is_replica) return drop(id);
  Hosted& hosted = hosted_[id];
  if (!hosted.replica) hosted.replica = std::make_unique<Replica>(id, queue->durable, log_);

  if (queue->leader == context_.self()) {
    hosted.follower.reset();
    asking_.erase(id);
    if (hosted.leader && hosted.leader->epoch() == queue->epoch) {
      hosted.leader->on_catalog_changed();
    } else {
      if (!hosted.replica->is_usable())
        base::log_error("queue '{}' in vhost '{}': this node leads it with an incomplete copy",
                        queue->name.name, queue->name.vhost);
      end_leadership(hosted);
      hosted.leader = std::make_unique<QueueLeader>(context_, *hosted.replica, queue->epoch);
    }
  } else {
    end_leadership(hosted);
    bool is_current = hosted.follower && hosted.follower->epoch() == queue->epoch &&
                      hosted.follower->leader() == queue->leader;
    if (!is_current) {
      hosted.follower = std::make_unique<QueueFollower>(context_, *hosted.replica, queue->leader,
                                                        queue->epoch);
      asking_.insert(id);
    }
  }
  wake(id);
}

void QueueHost::end_leadership(Hosted& hosted) {
  if (!hosted.leader) return;
  hosted.leader.reset();
  broker::Queue& state = hosted.replica->queue();
  for (broker::ChannelId channel : state.channels()) state.drop_channel(channel);
}

void QueueHost::drop(QueueId id) {
  auto hosted = hosted_.find(id);
  if (hosted == hosted_.end()) return;
  hosted->second.replica->forget();
  hosted_.erase(hosted);
  awake_.erase(id);
  syncing_.erase(id);
  asking_.erase(id);
}

QueueHost::Hosted* QueueHost::find_hosted(QueueId queue) {
  auto hosted = hosted_.find(queue);
  return hosted == hosted_.end() ? nullptr : &hosted->second;
}

const Replica* QueueHost::find(QueueId queue) const {
  auto hosted = hosted_.find(queue);
  return hosted == hosted_.end() ? nullptr : hosted->second.replica.get();
}

QueueFollower* QueueHost::follower_of(QueueId queue, const NodeName& leader) {
  Hosted* hosted = find_hosted(queue);
  if (!hosted || !hosted->follower || hosted->follower->leader() != leader) return nullptr;
  wake(queue);
  return hosted->follower.get();
}

void QueueHost::on_message(const NodeName& from, FollowRequest message) {
  Hosted* hosted = find_hosted(message.queue);
  if (hosted && hosted->leader) hosted->leader->on_follow(from, message);
}

void QueueHost::on_message(const NodeName& from, FollowFrom message) {
  if (QueueFollower* follower = follower_of(message.queue, from))
    follower->on_follow_from(message);
}

void QueueHost::on_message(const NodeName& from, SnapshotStart message) {
  if (QueueFollower* follower = follower_of(message.queue, from))
    follower->on_snapshot_start(message);
}

void QueueHost::on_message(const NodeName& from, SnapshotChunk message) {
  if (QueueFollower* follower = follower_of(message.queue, from))
    follower->on_snapshot_chunk(std::move(message));
}

void QueueHost::on_message(const NodeName& from, SnapshotEnd message) {
  if (QueueFollower* follower = follower_of(message.queue, from))
    follower->on_snapshot_end(std::move(message));
}

void QueueHost::on_message(const NodeName& from, Append message) {
  if (QueueFollower* follower = follower_of(message.queue, from))
    follower->on_append(std::move(message));
}

void QueueHost::on_message(const NodeName& from, AppendAck message) {
  Hosted* hosted = find_hosted(message.queue);
  if (hosted && hosted->leader) hosted->leader->on_ack(from, message);
}

void QueueHost::on_message(const NodeName& from, ToQueue message) {
  Hosted* hosted = find_hosted(message.queue);
  if (hosted && hosted->leader)
    hosted->leader->on_request(from, std::move(message));
  else
    context_.send(from, ToChannel{message.channel, message.queue, message.lease, NotLeading{}});
}

void QueueHost::on_link_down(const NodeName& node) {
  for (auto& [id, hosted] : hosted_) {
    if (hosted.leader) hosted.leader->on_link_down(node);
    if (hosted.follower && hosted.follower->leader() == node) {
      hosted.follower->on_link_down();
      asking_.insert(id);
    }
  }
}

void QueueHost::tick(base::Time now) {
  for (auto id = asking_.begin(); id != asking_.end();) {
    Hosted* hosted = find_hosted(*id);
    if (hosted && hosted->follower) hosted->follower->tick(now);
    bool is_done = !hosted || !hosted->follower || hosted->follower->deadline() == base::never;
    id = is_done ? asking_.erase(id) : std::next(id);
  }
}

base::Time QueueHost::deadline() const {
  base::Time deadline = base::never;
  for (QueueId id : asking_) {
    auto hosted = hosted_.find(id);
    // An unlinked leader is no reason to wake up: the link's coming up is.
    if (hosted != hosted_.end() && hosted->second.follower &&
        context_.is_linked(hosted->second.follower->leader()))
      deadline = std::min(deadline, hosted->second.follower->deadline());
  }
  return deadline;
}

bool QueueHost::work() {
  bool wants_sync = false;
  std::set<QueueId> awake;
  awake.swap(awake_);
  for (QueueId id : awake) {
    Hosted* hosted = find_hosted(id);
    if (!hosted) continue;
    if (hosted->leader) hosted->leader->advance();
    MessageIndex acked = hosted->replica->acked();
    wants_sync |= hosted->replica->write();
    // What waits for no sync is safe as soon as it is written, and nobody else tells the leader.
    if (hosted->leader && hosted->replica->acked() > acked) wake(id);
    if (hosted->follower) {
      hosted->follower->acknowledge();
      if (hosted->follower->deadline() != base::never) asking_.insert(id);
    }
    if (hosted->replica->is_waiting_for_sync()) syncing_.insert(id);
  }
  return wants_sync;
}

void QueueHost::on_synced() {
  std::set<QueueId> syncing;
  syncing.swap(syncing_);
  for (QueueId id : syncing) wake(id);
}

void QueueHost::move_old_records() {
  for (storage::StreamId stream : log_.streams_to_move()) {
    if (!Replica::is_queue_stream(stream)) continue;
    Hosted* hosted = find_hosted(Replica::queue_of(stream));
    if (hosted)
      hosted->replica->move(log_.move_target());
    else
      log_.forget(stream);
  }
}

std::vector<const Replica*> QueueHost::replicas() const {
  std::vector<const Replica*> all;
  for (const auto& [id, hosted] : hosted_)
    if (hosted.replica) all.push_back(hosted.replica.get());
  return all;
}

std::vector<QueueHost::Led> QueueHost::led() const {
  std::vector<Led> led;
  for (const auto& [id, hosted] : hosted_)
    if (hosted.leader) led.push_back({id, &hosted.replica->queue()});
  return led;
}

}  // namespace warren::cluster
