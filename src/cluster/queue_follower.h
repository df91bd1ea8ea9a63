#pragma once

#include "base/time.h"
#include "cluster/queue_context.h"
#include "cluster/replica.h"

namespace warren::cluster {

/// Keeps a replica up to date with its queue's leader in one epoch. It asks the leader, cuts its
/// log back only as the leader says, and acknowledges what is safe here.
class QueueFollower {
 public:
  QueueFollower(QueueContext& context, Replica& replica, NodeName leader, Epoch epoch);

  const NodeName& leader() const { return leader_; }
  Epoch epoch() const { return epoch_; }

  /// Asks the leader, and asks again while there is no answer.
  void tick(base::Time now);
  base::Time deadline() const { return is_attached_ ? base::never : ask_again_; }
  void on_link_down() { is_attached_ = false; ask_again_ = base::Time{}; }

  void on_follow_from(const FollowFrom& message);
  void on_snapshot_start(const SnapshotStart& message);
  void on_snapshot_chunk(SnapshotChunk message);
  void on_snapshot_end(SnapshotEnd message);
  void on_append(Append message);

  /// Acknowledges what has become safe. Call after Replica::write and after syncs.
  void acknowledge();

 private:
  bool is_current(Epoch epoch) const { return epoch == epoch_; }

  QueueContext& context_;
  Replica& replica_;
  NodeName leader_;
  Epoch epoch_;
  bool is_attached_ = false;
  bool is_tailing_ = false;
  bool must_ack_ = false;  ///< the leader has not heard what is here
  bool needs_snapshot_ = false;
  MessageIndex acked_;
  base::Time ask_again_{};
};

}  // namespace warren::cluster
