#include "cluster/queue_host.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "broker/queue_arguments.h"
#include "catalog/delaying.h"

namespace warren::cluster {

namespace {

/// How long to wait when the disk refused a segment.
constexpr base::Duration retry_interval = std::chrono::seconds(1);
/// A queue with less than that part of the budget in memory is not worth a segment.
constexpr std::uint64_t thin_part_of_budget = 256;
/// More than that is not on its way to segments at once: it is in memory twice until it is there.
constexpr std::uint64_t most_writing = 32u << 20;
/// A patient queue keeps no more than that in memory.
constexpr std::uint64_t patient_bytes = 32u << 20;

}  // namespace

QueueHost::QueueHost(QueueContext& context, storage::Log& log, storage::SegmentStore& segments,
                     std::uint64_t memory_budget)
    : context_(context), log_(log), segments_(segments), memory_budget_(memory_budget) {}

void QueueHost::recover(storage::LogPosition position, storage::StreamId stream,
                        std::uint8_t kind, base::ByteView payload) {
  Hosted& hosted = hosted_[Replica::queue_of(stream)];
  if (!hosted.replica)
    hosted.replica = std::make_unique<Replica>(Replica::queue_of(stream), true, log_, segments_);
  hosted.replica->recover(position, kind, payload);
}

void QueueHost::finish_recovery() {
  std::set<storage::FileId> wanted;
  for (auto& [id, hosted] : hosted_) {
    hosted.replica->finish_recovery(wanted);
    count(id, hosted);
  }
  segments_.remove_others(wanted);
}

void QueueHost::set_known_deliveries(std::vector<LedQueueRecord> led) {
  for (const LedQueueRecord& each : led) known_deliveries_[each.queue] = each;
}

void QueueHost::activate() {
  is_active_ = true;
  std::vector<QueueId> unknown;
  for (const auto& [id, hosted] : hosted_)
    if (!context_.catalog().find_queue(id)) unknown.push_back(id);
  for (QueueId id : unknown) drop(id);
  for (const auto& [id, queue] : context_.catalog().queues()) {
    place(id);
    if (Hosted* hosted = find_hosted(id))
      for (const std::string& damage : hosted->replica->take_damage())
        base::log_error("queue '{}' in vhost '{}': {}", queue.name.name, queue.name.vhost, damage);
  }
  known_deliveries_.clear();
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
  if (!hosted.replica)
    hosted.replica = std::make_unique<Replica>(id, queue->durable, log_, segments_);
  hosted.is_patient = catalog::is_delay_queue(queue->name.name);
  broker::Queue& state = hosted.replica->queue();
  state.set_max_priority(broker::max_priority(queue->arguments));
  state.set_single_active_consumer(broker::has_single_active_consumer(queue->arguments));

  if (queue->leader == context_.self()) {
    hosted.follower.reset();
    asking_.erase(id);
    if (hosted.leader && hosted.leader->epoch() == queue->epoch) {
      hosted.leader->on_catalog_changed();
    } else {
      lead(hosted, *queue);
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

void QueueHost::lead(Hosted& hosted, const catalog::Queue& queue) {
  if (!hosted.replica->is_usable())
    base::log_error("queue '{}' in vhost '{}': this node leads it with an incomplete copy",
                    queue.name.name, queue.name.vhost);
  end_leadership(hosted);
  auto known = known_deliveries_.find(queue.id);
  // Starting again is what made the next epoch; any other had another leader.
  std::optional<MessageIndex> delivered;
  if (known != known_deliveries_.end() && queue.epoch == known->second.epoch.next())
    delivered = known->second.delivered;
  hosted.leader =
      std::make_unique<QueueLeader>(context_, *hosted.replica, queue.epoch, delivered);
}

void QueueHost::end_leadership(Hosted& hosted) {
  if (!hosted.leader) return;
  hosted.leader.reset();
  broker::Queue& state = hosted.replica->queue();
  // Nothing dies without a leader.
  state.set_delivery_limit({});
  for (broker::ChannelId channel : state.channels()) state.drop_channel(channel);
  state.set_keeps_dead(false);
  state.revive_dying();
}

void QueueHost::drop(QueueId id) {
  auto hosted = hosted_.find(id);
  if (hosted == hosted_.end()) return;
  alarms_.erase({hosted->second.wake_at, id});
  hosted->second.replica->forget();
  resident_bytes_ -= hosted->second.resident_bytes;
  writing_bytes_ -= hosted->second.writing_bytes;
  hosted_.erase(hosted);
  fat_.queues.erase(id);
  filled_.queues.erase(id);
  refused_.erase(id);
  if (compacting_ == id) compacting_ = QueueId{};
  awake_.erase(id);
  waiting_.erase(id);
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

void QueueHost::wake_at(QueueId id, base::Time at) {
  Hosted* hosted = find_hosted(id);
  if (!hosted || at >= hosted->wake_at) return;
  alarms_.erase({hosted->wake_at, id});
  hosted->wake_at = at;
  alarms_.emplace(at, id);
}

void QueueHost::tick(base::Time now) {
  while (!alarms_.empty() && alarms_.begin()->first <= now) {
    QueueId id = alarms_.begin()->second;
    alarms_.erase(alarms_.begin());
    find_hosted(id)->wake_at = base::never;
    wake(id);
  }
  if (!refused_.empty() && retry_at_ == base::never) retry_at_ = now + retry_interval;
  if (retry_at_ <= now) {
    retry_at_ = base::never;
    std::set<QueueId> refused;
    refused.swap(refused_);
    for (QueueId id : refused) {
      if (Hosted* hosted = find_hosted(id)) hosted->replica->retry();
      wake(id);
    }
  }
  for (auto id = asking_.begin(); id != asking_.end();) {
    Hosted* hosted = find_hosted(*id);
    if (hosted && hosted->follower) hosted->follower->tick(now);
    bool is_done = !hosted || !hosted->follower || hosted->follower->deadline() == base::never;
    id = is_done ? asking_.erase(id) : std::next(id);
  }
}

base::Time QueueHost::deadline() const {
  if (is_awake()) return base::Time{};
  base::Time deadline = retry_at_;
  if (!alarms_.empty()) deadline = std::min(deadline, alarms_.begin()->first);
  if (!refused_.empty() && retry_at_ == base::never) deadline = base::Time{};
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
    hosted->replica->page_in();
    if (hosted->leader && hosted->replica->has_lost()) wake(id);
    if (hosted->replica->is_refused()) refused_.insert(id);
    compact(id, *hosted);
    count(id, *hosted);
    if (hosted->is_patient) page_out_if_patient(id, *hosted);
  }
  return wants_sync;
}

void QueueHost::page_out_if_patient(QueueId id, Hosted& hosted) {
  if (hosted.resident_bytes <= std::min(patient_bytes, memory_budget_)) return;
  hosted.replica->page_out(hosted.resident_bytes);
  count(id, hosted);
}

void QueueHost::count(QueueId id, Hosted& hosted) {
  std::uint64_t writing = hosted.replica->writing_bytes();
  writing_bytes_ += writing - hosted.writing_bytes;
  hosted.writing_bytes = writing;
  std::uint64_t bytes = hosted.replica->queue().resident_bytes();
  if (bytes == hosted.resident_bytes) return;
  std::uint64_t thin = memory_budget_ / thin_part_of_budget;
  bool was_fat = hosted.resident_bytes > thin, is_fat = bytes > thin;
  resident_bytes_ += bytes - hosted.resident_bytes;
  hosted.resident_bytes = bytes;
  if (is_fat && !was_fat) fat_.queues.insert(id);
  if (was_fat && !is_fat) fat_.queues.erase(id);
  if (!std::exchange(hosted.is_filled, true)) filled_.queues.insert(id);
}

void QueueHost::compact(QueueId id, Hosted& hosted) {
  if (compacting_ == id && !hosted.replica->is_compacting()) compacting_ = QueueId{};
  if (!compacting_ && hosted.replica->compact()) compacting_ = id;
}

/// What is under way will make room, or call for the next turn.
bool QueueHost::has_enough_coming() const {
  return resident_bytes_ <= memory_budget_ + writing_bytes_ || writing_bytes_ >= most_writing;
}

void QueueHost::page_out(PagingTurn& turn, bool is_urgent) {
  for (std::size_t left = turn.queues.size(); left > 0 && !has_enough_coming(); --left) {
    auto place = turn.queues.lower_bound(turn.next);
    if (place == turn.queues.end()) place = turn.queues.begin();
    const QueueId id = *place;
    turn.next = id.next();
    Hosted& hosted = *find_hosted(id);
    hosted.replica->page_out(resident_bytes_ - memory_budget_ - writing_bytes_, is_urgent);
    count(id, hosted);
    if (hosted.resident_bytes > 0 || &turn != &filled_) continue;
    turn.queues.erase(id);
    hosted.is_filled = false;
  }
}

void QueueHost::page() {
  const bool is_short = resident_bytes_ > 2 * memory_budget_;
  page_out(fat_, is_short);
  if (is_short) page_out(filled_, true);
  is_overloaded_ = resident_bytes_ > 2 * memory_budget_;
  if (!is_overloaded_) awake_.merge(waiting_), waiting_.clear();
}

bool QueueHost::must_wait_for_memory(QueueId queue) {
  if (is_overloaded_) waiting_.insert(queue);
  return is_overloaded_;
}

void QueueHost::on_segment(storage::SegmentEvent event) {
  QueueId id = Replica::queue_of(event.stream);
  Hosted* hosted = find_hosted(id);
  if (!hosted) return;
  hosted->replica->on_segment(std::move(event));
  wake(id);
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

std::vector<LedQueueRecord> QueueHost::led_with_messages() const {
  std::vector<LedQueueRecord> led;
  for (const auto& [id, hosted] : hosted_)
    if (hosted.leader && hosted.replica->is_durable() && !hosted.replica->queue().is_empty())
      led.push_back({id, hosted.leader->epoch(), hosted.leader->delivered()});
  return led;
}

}  // namespace warren::cluster
