#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/ring.h"
#include "broker/queue_arguments.h"
#include "cluster/dead_letters.h"
#include "cluster/delays.h"
#include "cluster/queue_context.h"
#include "cluster/replica.h"

namespace warren::cluster {

/// The leadership of one queue in one epoch: it orders the queue's log, brings followers up to
/// date, and serves channels.
///
/// An entry is committed when every in-sync member has acknowledged it, and so has every member
/// that is proposed for the in-sync set: a member enters the set without a gap. Publishes are
/// confirmed when committed. While the leader is not alone in the set, only committed messages are
/// delivered, so that no consumer sees a message that a failover may take back.
class QueueLeader {
 public:
  /// Takes the replica's whole log as the truth. Messages up to `delivered` count as delivered
  /// before; without it all do.
  QueueLeader(QueueContext& context, Replica& replica, Epoch epoch,
              std::optional<MessageIndex> delivered = {});

  Epoch epoch() const { return epoch_; }
  /// Messages after that have not been delivered.
  MessageIndex delivered() const { return delivered_; }

  void on_request(const NodeName& from, ToQueue message);
  void on_follow(const NodeName& from, const FollowRequest& request);
  void on_ack(const NodeName& from, const AppendAck& ack);
  /// The queue's record in the catalog changed, or a node's did; the epoch is still ours.
  void on_catalog_changed();
  /// The link to that node broke: its channels and its following are gone.
  void on_link_down(const NodeName& node);

  /// Commits, confirms, delivers, ships. Call when woken and after syncs. It may append entries,
  /// so Replica::write comes after it.
  void advance();

  broker::QueueCounts counts() const { return replica_.queue().counts(); }

 private:
  struct Attachment {
    NodeName node;
    Lease lease;
    DeliveredBy delivered;  ///< in this turn, not yet told
    std::size_t delivered_bytes = 0;
    /// The last publish that was refused, to be noted before another is taken; zero for none.
    PublishSeq refused;
  };
  /// Whether a proposal has been answered; it outlives the leader that made it.
  struct Proposal {
    bool is_answered = false;
    base::Time answered_at{};
  };
  struct Follower {
    std::uint64_t placement_version = 0;
    bool is_attached = false;     ///< false: only kept because a proposal is under way
    bool is_tailing = false;      ///< false: a snapshot is under way
    MessageIndex sent;            ///< tailing: shipped up to here; else: the snapshot's cursor
    MessageIndex snapshot_last;   ///< entries up to here are in its snapshot
    MessageIndex acked;
    bool has_acked = false;
    /// Commits wait for it although it is not in sync yet: it was or will be proposed for the
    /// set, and the proposal may be applied at any time.
    bool is_required = false;
    std::shared_ptr<Proposal> proposal;
  };
  struct PendingConfirm {
    MessageIndex index;
    ChannelId channel;
    Lease lease;
    PublishSeq seq;
  };
  struct PendingGet {
    ChannelId channel;
    Lease lease;
    GetFrom get;
    MessageIndex wait_for;  ///< answer when committed up to here, if not before
    bool is_after_consumers = false;  ///< which take first what came before it
  };
  struct PendingSync {
    ChannelId channel;
    Lease lease;
    RequestId request;
  };

  void handle(const ToQueue& to, const PublishTo& publish);
  void handle(const ToQueue& to, const SubscribeTo& subscribe);
  void handle(const ToQueue& to, const UnsubscribeFrom& unsubscribe);
  void handle(const ToQueue& to, const GrantTo& grant);
  void handle(const ToQueue& to, const LimitTo& limit);
  void handle(const ToQueue& to, const GetFrom& get);
  void handle(const ToQueue& to, const SettleTo& settle);
  void handle(const ToQueue& to, const SyncTo& sync);
  void handle(const ToQueue& to, const CountFrom& count);
  void handle(const ToQueue& to, const PurgeFrom& purge);
  void handle(const ToQueue& to, const DeleteFrom& remove);
  void handle(const ToQueue& to, const Detach& detach);

  bool attach(const NodeName& from, const ToQueue& to);
  void give_back(ChannelId channel);
  void drop(ChannelId channel);
  void detach(ChannelId channel);
  void order(decltype(QueueEntry::what) what);
  void take(const ToQueue& to, const Publish& publish);
  void answer_again(const ToQueue& to, PublishSeq seq, RejectedBy& rejected);
  bool has_room(const broker::Message& message) const;
  bool refuses(const broker::Message& message);
  void refuse(const ToQueue& to, const Publish& publish, RejectedBy& rejected);
  void read_settings();
  void drop_excess();
  void date(const broker::Message& message);
  broker::WallMs wall_ms() const;
  bool expire();
  void serve();
  void wake_for_expiry();
  void delete_if_unused_for_long();
  void note_refused(ChannelId channel, PublishSeq seq);
  void drop_lost();
  void read_dead_letter_rule();
  void bury();
  void hold_back_if_delaying();
  base::Result<> check_open() const;
  void work_on_delays();
  void settle_for_good(std::vector<MessageIndex> gone);
  void reply(const ToQueue& to, RequestId request, base::Result<broker::Reply> result);
  void tell(ChannelId channel, Lease lease, QueueEvent event);
  bool delete_if_unused();
  bool may_propose_end();
  void retry_deletion();

  const catalog::Queue* record() const;
  bool is_in_sync(const NodeName& node) const;
  bool is_running(const NodeName& node) const;
  bool is_alone() const;
  MessageIndex deliverable() const;
  void commit();
  void confirm();
  void answer_gets();
  void answer_syncs();
  void deliver();
  void tell_deliveries(std::pair<const ChannelId, Attachment>& receiver);
  void ship();
  void ship_entries(const NodeName& node, Follower& follower);
  void ship_snapshot(const NodeName& node, Follower& follower);
  void start_snapshot(const NodeName& node, Follower& follower);
  void admit(const NodeName& node, Follower& follower);
  void expel(const NodeName& node);
  std::shared_ptr<Proposal> propose(const catalog::Command& command);
  void discard();
  void yield_if_unwanted();

  QueueContext& context_;
  Replica& replica_;
  Epoch epoch_;
  MessageIndex delivered_;
  broker::QueueSettings settings_;
  bool has_length_limit_ = false;  ///< and the oldest go
  bool has_refused_ = false;  ///< some attachment's `refused` is set
  base::Time used_;           ///< when somebody used the queue last, for its own expiry
  bool is_consumed_ = false;  ///< it has consumers, as `advance` saw last
  std::map<ChannelId, Attachment> attachments_;
  std::map<NodeName, Follower> followers_;
  /// Members proposed to leave the in-sync set.
  std::map<NodeName, std::shared_ptr<Proposal>> expelling_;
  base::Ring<PendingConfirm> confirms_;  ///< in the order of their indexes
  base::Ring<PendingGet> gets_;
  std::multimap<MessageIndex, PendingSync> syncs_;
  std::optional<DeadLetterRule> rule_;
  std::unique_ptr<DeadLetters> dead_letters_;  ///< made when the first message has died
  std::unique_ptr<Delays> delays_;  ///< of a queue of delayed messages only
  std::shared_ptr<Proposal> deleting_;
  std::shared_ptr<Proposal> yielding_;
};

}  // namespace warren::cluster
