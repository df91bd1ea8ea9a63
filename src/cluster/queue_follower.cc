#include "cluster/queue_follower.h"

#include <utility>

namespace warren::cluster {
namespace {

constexpr base::Duration ask_interval = std::chrono::milliseconds(50);

}  // namespace

QueueFollower::QueueFollower(QueueContext& context, Replica& replica, NodeName leader, Epoch epoch)
    : context_(context), replica_(replica), leader_(std::move(leader)), epoch_(epoch) {}

void QueueFollower::tick(base::Time now) {
  if (is_attached_ || now < ask_again_) return;
  ask_again_ = now + ask_interval;
  if (!context_.is_linked(leader_)) return;
  context_.send(leader_, FollowRequest{replica_.id(), epoch_,
                                       replica_.is_usable() && !needs_snapshot_, replica_.last(),
                                       replica_.epochs()});
}

void QueueFollower::on_follow_from(const FollowFrom& message) {
  if (!is_current(message.epoch)) return;
  if (!replica_.is_usable() || message.agreed < replica_.applied()) {
    // What was applied can't be taken back, so this copy must be replaced.
    needs_snapshot_ = true;
    is_attached_ = false;
    return;
  }
  replica_.cut(message.agreed);
  is_attached_ = is_tailing_ = must_ack_ = true;
  acked_ = MessageIndex{};
}

void QueueFollower::on_snapshot_start(const SnapshotStart& message) {
  if (!is_current(message.epoch)) return;
  replica_.start_snapshot();
  is_attached_ = true;
  is_tailing_ = false;
  needs_snapshot_ = false;
}

void QueueFollower::on_snapshot_chunk(SnapshotChunk message) {
  if (!is_current(message.epoch) || is_tailing_ || replica_.is_usable()) return;
  replica_.add_snapshot(std::move(message.messages));
}

void QueueFollower::on_snapshot_end(SnapshotEnd message) {
  if (!is_current(message.epoch) || is_tailing_ || replica_.is_usable()) return;
  replica_.finish_snapshot(std::move(message));
  is_tailing_ = must_ack_ = true;
  acked_ = MessageIndex{};
}

void QueueFollower::on_append(Append message) {
  if (!is_current(message.epoch) || !is_tailing_) return;
  if (message.after != replica_.last()) {
    is_attached_ = is_tailing_ = false;
    ask_again_ = base::Time{};
    return;
  }
  for (QueueEntry& entry : message.entries)
    if (entry.index > replica_.last()) replica_.append(std::move(entry));
  replica_.apply_committed(message.commit);
}

void QueueFollower::acknowledge() {
  if (!is_tailing_) return;
  MessageIndex acked = replica_.acked();
  if (acked <= acked_ && !must_ack_) return;
  must_ack_ = false;
  acked_ = acked;
  context_.send(leader_, AppendAck{replica_.id(), epoch_, acked});
}

}  // namespace warren::cluster
