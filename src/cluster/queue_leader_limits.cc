#include <algorithm>
#include <utility>

#include "cluster/queue_leader.h"

/// What a queue's leader takes, what it refuses, and what it drops.
namespace warren::cluster {
namespace {

/// At most some years, which can be added to any time.
base::Duration in_future(std::uint64_t ms) {
  constexpr std::chrono::milliseconds most = std::chrono::years(50);
  return std::chrono::milliseconds(std::min<std::uint64_t>(ms, most.count()));
}

}  // namespace

void QueueLeader::handle(const ToQueue& to, const PublishTo& batch) {
  PublishSeq taken = replica_.producers().taken_up_to(to.channel), last = taken;
  RejectedBy rejected;
  for (const Publish& publish : batch.publishes) {
    if (publish.seq <= taken) {
      answer_again(to, publish.seq, rejected);
    } else if (refuses(publish.message)) {
      refuse(to, publish, rejected);
    } else {
      if (delays_)
        take(to, {publish.seq, make_delayed(publish.message, context_.clock().wall_time())});
      else
        take(to, publish);
      last = publish.seq;
    }
  }
  if (last > taken) replica_.producers().note(to.channel, last);
  if (!rejected.publishes.empty()) tell(to.channel, to.lease, std::move(rejected));
}

void QueueLeader::take(const ToQueue& to, const Publish& publish) {
  if (has_refused_) {
    PublishSeq refused = std::exchange(attachments_.at(to.channel).refused, PublishSeq{});
    if (refused) note_refused(to.channel, refused);
  }
  // An expiration does not count yet while a message is delayed.
  const bool may_expire = settings_.message_ttl_ms || publish.message.has_expiration() ||
                          replica_.queue().has_times();
  if (may_expire && !delays_) date(publish.message);
  order(Enqueued{to.channel, publish.seq, publish.message});
  replica_.queue().put(replica_.last(), publish.message, false);
  confirms_.push_back({replica_.last(), to.channel, to.lease, publish.seq});
}

bool QueueLeader::has_room(const broker::Message& message) const {
  broker::QueueCounts counts = replica_.queue().counts();
  return counts.ready < settings_.max_length.value_or(UINT64_MAX) &&
         counts.ready_bytes + message.body().size() <=
             settings_.max_length_bytes.value_or(UINT64_MAX);
}

bool QueueLeader::refuses(const broker::Message& message) {
  if (settings_.overflow == broker::Overflow::drop_head || has_room(message)) return false;
  // Elsewhere consumers that wait would have taken by now what came before it in this turn.
  serve();
  return !has_room(message);
}

void QueueLeader::refuse(const ToQueue& to, const Publish& publish, RejectedBy& rejected) {
  rejected.publishes.push_back(publish.seq);
  if (settings_.overflow == broker::Overflow::reject_publish_dlx && rule_) {
    note_refused(to.channel, publish.seq);
    order(Enqueued{to.channel, publish.seq, publish.message});
    replica_.producers().note(to.channel, publish.seq);
    replica_.queue().put(replica_.last(), publish.message, false);
    std::vector<MessageIndex> gone;
    replica_.queue().end(replica_.last(), broker::DeathReason::maxlen, gone);
    settle_for_good(std::move(gone));
    return;
  }
  // As long as nothing of the channel is taken after it, the next leader may decide anew.
  attachments_.at(to.channel).refused = publish.seq;
  has_refused_ = true;
}

void QueueLeader::note_refused(ChannelId channel, PublishSeq seq) {
  order(Refused{channel, seq});
  replica_.producers().note_refused(channel, seq);
}

/// A publish that was sent again after a failover: it is in the log already, perhaps not committed,
/// unless it was refused. A refusal that is not true costs a repetition, a confirm that is not true
/// costs the message.
void QueueLeader::answer_again(const ToQueue& to, PublishSeq seq, RejectedBy& rejected) {
  MessageIndex index;
  for (const QueueEntry& entry : replica_.entries()) {
    const auto* enqueued = std::get_if<Enqueued>(&entry.what);
    if (enqueued && enqueued->producer == to.channel && enqueued->seq == seq) index = entry.index;
  }
  bool is_doubtful = !index || settings_.overflow == broker::Overflow::reject_publish_dlx;
  if (is_doubtful && seq <= replica_.producers().refused_up_to(to.channel))
    return rejected.publishes.push_back(seq);
  if (!index) index = replica_.commit();
  auto place = std::ranges::upper_bound(confirms_, index, {}, &PendingConfirm::index);
  confirms_.insert(place, {index, to.channel, to.lease, seq});
}

void QueueLeader::read_settings() {
  const catalog::Queue* queue = record();
  if (!queue) return;
  auto expires_ms = settings_.expires_ms;
  settings_ = broker::make_queue_settings(queue->arguments, context_.catalog().policy_of(*queue),
                                          context_.catalog().operator_policy_of(*queue));
  if (settings_.expires_ms != expires_ms) used_ = context_.clock().now();
  has_length_limit_ = settings_.overflow == broker::Overflow::drop_head &&
                      (settings_.max_length || settings_.max_length_bytes);
}

/// What consumers could have taken by now they have taken before.
void QueueLeader::drop_excess() {
  if (!has_length_limit_) return;
  std::vector<MessageIndex> gone;
  replica_.queue().drop_excess(settings_.max_length.value_or(UINT64_MAX),
                               settings_.max_length_bytes.value_or(UINT64_MAX), deliverable(),
                               gone);
  settle_for_good(std::move(gone));
}

// Time.

broker::WallMs QueueLeader::wall_ms() const {
  auto since_1970 = context_.clock().wall_time().time_since_epoch().count();
  return since_1970 < 0 ? 0 : static_cast<broker::WallMs>(since_1970);
}

/// Marks the time at which the message comes in, where the last mark does not say so.
void QueueLeader::date(const broker::Message& message) {
  auto mark = replica_.queue().find_needed_time(wall_ms(), settings_.message_ttl_ms,
                                                message.has_expiration());
  if (!mark) return;
  order(Dated{mark->arrived_ms, mark->ttl_ms, mark->has_own});
  mark->after = replica_.last();
  replica_.queue().add_time(*mark);
}

bool QueueLeader::expire() {
  if (!replica_.queue().has_times()) return false;
  std::vector<MessageIndex> gone;
  bool has_ended = replica_.queue().expire(wall_ms(), deliverable(), gone);
  settle_for_good(std::move(gone));
  return has_ended;
}

/// Delivers what can be delivered; what expires on the way does not stand in the way.
void QueueLeader::serve() {
  expire();
  do {
    deliver();
  } while (expire());
}

void QueueLeader::wake_for_expiry() {
  if (!replica_.queue().has_times()) return;
  broker::WallMs next = replica_.queue().next_expiry(deliverable());
  if (next == broker::never_ms) return;
  broker::WallMs now = wall_ms();
  // One that is over by now waits for something else than time.
  if (next > now) context_.wake_at(replica_.id(), context_.clock().now() + in_future(next - now));
}

/// A queue is used by consumers, gets and declarations.
void QueueLeader::delete_if_unused_for_long() {
  base::Time now = context_.clock().now();
  bool was_consumed = std::exchange(is_consumed_, replica_.queue().counts().consumers > 0);
  if (is_consumed_ || was_consumed) used_ = now;
  if (is_consumed_) return;
  base::Time end = used_ + in_future(*settings_.expires_ms);
  if (now < end) return context_.wake_at(replica_.id(), end);
  if (!may_propose_end()) return;
  deleting_ = propose(catalog::DeleteQueue{replica_.id()});
}

}  // namespace warren::cluster
