#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "cluster/facts.h"
#include "cluster/queue_follower.h"
#include "cluster/queue_leader.h"

namespace warren::cluster {

/// All replicas of queues on this node. It follows the catalog: makes and drops replicas, and
/// lets each be led or follow as the catalog says. It does nothing before `activate`, because a
/// catalog that is being read again after a restart tells of the past.
class QueueHost {
 public:
  /// Messages are kept in memory up to `memory_budget` bytes, and on disk beyond.
  QueueHost(QueueContext& context, storage::Log& log, storage::SegmentStore& segments,
            std::uint64_t memory_budget);

  /// Recovery: a record of a queue's stream, then finish.
  void recover(storage::LogPosition position, storage::StreamId stream, std::uint8_t kind,
               base::ByteView payload);
  void finish_recovery();
  /// What had been delivered when the node stopped in order. `activate` makes use of it for queues
  /// that are led here again and were led by nobody in between.
  void set_known_deliveries(std::vector<LedQueueRecord> led);

  /// The catalog is up to date with this node's own start: take up what it says.
  void activate();
  bool is_active() const { return is_active_; }
  void on_change(const catalog::Change& change);

  void on_message(const NodeName& from, FollowRequest message);
  void on_message(const NodeName& from, FollowFrom message);
  void on_message(const NodeName& from, SnapshotStart message);
  void on_message(const NodeName& from, SnapshotChunk message);
  void on_message(const NodeName& from, SnapshotEnd message);
  void on_message(const NodeName& from, Append message);
  void on_message(const NodeName& from, AppendAck message);
  void on_message(const NodeName& from, ToQueue message);
  void on_link_down(const NodeName& node);

  void tick(base::Time now);
  base::Time deadline() const;
  void wake(QueueId queue) { awake_.insert(queue); }
  void wake_at(QueueId queue, base::Time at);
  bool is_awake() const { return !awake_.empty(); }
  /// Looks after the queues that are awake and hands their entries to the log; call until nothing
  /// is awake. True when a sync of the log is wanted.
  bool work();
  /// The log has synced more.
  void on_synced();
  /// Lets old files of the log go.
  void move_old_records();

  /// Looks after memory: pages messages out when they are over the budget. Call once in a turn,
  /// after `work`.
  void page();
  void on_segment(storage::SegmentEvent event);
  /// Twice the budget is in memory, and all that can be done has begun: the disk does not keep up,
  /// or refuses. The queue is woken when that is over.
  bool must_wait_for_memory(QueueId queue);

  struct Led {
    QueueId queue;
    const broker::Queue* state;
  };
  std::vector<Led> led() const;
  /// Those led here that hold messages.
  std::vector<LedQueueRecord> led_with_messages() const;
  std::vector<const Replica*> replicas() const;
  /// The replica of that queue on this node, or null.
  const Replica* find(QueueId queue) const;

 private:
  struct Hosted {
    std::unique_ptr<Replica> replica;
    std::unique_ptr<QueueLeader> leader;
    std::unique_ptr<QueueFollower> follower;
    /// Most of its messages are not wanted soon, so little of them stays in memory.
    bool is_patient = false;
    std::uint64_t resident_bytes = 0;  ///< of its messages, as last counted
    std::uint64_t writing_bytes = 0;   ///< of those, on their way to a segment
    bool is_filled = false;            ///< listed in filled_
    base::Time wake_at = base::never;  ///< its entry in alarms_
  };

  /// Queues whose messages are paged out in turn.
  struct PagingTurn {
    std::set<QueueId> queues;
    QueueId next;
  };

  void place(QueueId queue);
  void lead(Hosted& hosted, const catalog::Queue& queue);
  /// The next leader, here or elsewhere, knows nothing of this one's channels.
  static void end_leadership(Hosted& hosted);
  void drop(QueueId queue);
  Hosted* find_hosted(QueueId queue);
  QueueFollower* follower_of(QueueId queue, const NodeName& leader);

  void count(QueueId id, Hosted& hosted);
  void compact(QueueId id, Hosted& hosted);
  void page_out_if_patient(QueueId id, Hosted& hosted);
  void page_out(PagingTurn& turn, bool is_urgent);
  bool has_enough_coming() const;

  QueueContext& context_;
  storage::Log& log_;
  storage::SegmentStore& segments_;
  std::uint64_t memory_budget_;
  std::uint64_t resident_bytes_ = 0;
  std::uint64_t writing_bytes_ = 0;
  PagingTurn fat_;     ///< those whose messages are worth a segment
  PagingTurn filled_;  ///< all that have some, or had: the thin ones are for when memory is short
  std::set<QueueId> refused_;
  base::Time retry_at_ = base::never;
  QueueId compacting_;
  bool is_overloaded_ = false;
  std::set<QueueId> waiting_;  ///< to be woken when it isn't any more
  std::map<QueueId, Hosted> hosted_;
  std::map<QueueId, LedQueueRecord> known_deliveries_;
  std::set<QueueId> awake_;
  std::set<std::pair<base::Time, QueueId>> alarms_;
  std::set<QueueId> syncing_;  ///< wait for a sync of the log
  std::set<QueueId> asking_;   ///< followers that are not attached
  bool is_active_ = false;
};

}  // namespace warren::cluster
