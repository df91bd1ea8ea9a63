#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/field_value.h"
#include "base/result.h"
#include "broker/message.h"
#include "catalog/catalog.h"

/// The protocol between a channel and a queue. It is the same whether the queue is led by this
/// node or by another one; only the carrier behind `Gateway` differs.
namespace warren::broker {

/// A channel of a client connection, unique among all nodes and all their restarts.
using ChannelId = base::Id<struct ChannelTag>;
/// Counts a channel's publishes: 1, 2, 3...
using PublishSeq = base::Id<struct PublishSeqTag>;
/// Pairs a request of a channel with its answer; chosen by the channel.
using RequestId = base::Id<struct RequestTag>;
/// A message's place in its queue's log; it is also the order of delivery.
using MessageIndex = base::Id<struct MessageIndexTag>;
/// One unbroken attachment of a channel to a queue's leader. What was delivered under an older
/// lease has gone back to the queue and can't be settled any more.
using Lease = base::Id<struct LeaseTag>;

struct Subscription {
  std::string consumer_tag;  ///< unique in the channel
  bool no_ack = false;
  /// With no_ack: the channel may have to hold deliveries back, and settles them as they go out.
  bool is_settled_by_channel = false;
  bool exclusive = false;
  bool cancel_on_failover = false;  ///< x-cancel-on-ha-failover
  /// Most unacknowledged deliveries of this consumer; 0: no limit.
  std::uint16_t prefetch = 0;
  std::int32_t priority = 0;
  /// Deliveries that may be under way before the channel grants more.
  std::uint32_t credit = 0;
  base::FieldTable arguments;  ///< kept for listings

  /// Whether what is delivered has left the queue for good.
  bool takes_for_good() const { return no_ack && !is_settled_by_channel; }
};

struct Delivery {
  catalog::QueueId queue;
  Lease lease;
  MessageIndex index;
  bool redelivered = false;
  Message message;
};

enum class Outcome : std::uint8_t {
  acknowledged,  ///< done with; also for no_ack
  rejected,      ///< drop, or dead-letter where the queue says so
  requeued,      ///< back to its place, redelivered from now on
  returned,      ///< back to its place; the client has not seen it
};

/// The answer to a request. Which fields mean something depends on the request.
struct Reply {
  std::uint64_t messages = 0;   ///< ready messages; of purge and delete: how many went
  std::uint64_t consumers = 0;
  catalog::Applied applied;     ///< of change: the last of those that took effect
  std::size_t changes = 0;      ///< of change: how many took effect
  std::optional<base::Error> refusal = {};  ///< of change: why the next one did not
};

/// What a channel hears from its queues. All calls come on the channel's own shard, never from
/// inside a call to the Gateway. Views are valid during the call. A receiver overrides what it asks
/// for; the rest does not come, or is of no use to it.
class ChannelEvents {
 public:
  virtual ~ChannelEvents() = default;

  /// These publishes are safe (see design: durable on every in-sync replica where that applies)
  /// on every queue that they went to.
  virtual void on_confirmed(std::span<const PublishSeq>) {}
  /// These publishes will reach at least one of their queues never.
  virtual void on_rejected(std::span<const PublishSeq>) {}
  virtual void on_delivery(std::string_view /*consumer_tag*/, const Delivery&) {}
  /// The consumer ended by the queue's doing: deleted, or its leader is gone for good.
  virtual void on_consumer_cancelled(std::string_view /*consumer_tag*/) {}
  /// Answer to get: empty when the queue has no ready message; `remaining` counts those left.
  virtual void on_got(RequestId, base::Result<std::optional<Delivery>>,
                      std::uint64_t /*remaining*/) {}
  virtual void on_reply(RequestId, base::Result<Reply>) {}
  /// The channel may publish again.
  virtual void on_uncongested() {}
};

/// The way from a channel to queues and to the catalog, on any node. Requests are answered
/// exactly once, within a deadline (error timeout or unavailable), unless the channel is closed
/// first. Requests of one channel to one queue keep their order. An error about the state of the
/// queue says "in use", "not empty" or "in exclusive use" and leaves the queue to be named by the
/// session.
class Gateway {
 public:
  virtual ~Gateway() = default;

  virtual const catalog::Catalog& catalog() const = 0;
  virtual const catalog::NodeName& node_name() const = 0;

  /// `events` must outlive the channel.
  virtual ChannelId open_channel(ChannelEvents& events) = 0;
  /// Ends the channel's consumers and returns what it held unacknowledged to the queues. No
  /// event comes after this.
  virtual void close_channel(ChannelId channel) = 0;

  /// Publishes to each of `queues`, which hold no repeats; with none the publish is confirmed at
  /// once. Every publish ends in exactly one on_confirmed or on_rejected. On failover a publish
  /// that is not confirmed goes to the new leader, which knows what it has already.
  virtual void publish(ChannelId channel, PublishSeq seq, const Message& message,
                       std::span<const catalog::QueueId> queues) = 0;
  /// A message came by that x-recent-history exchange, which is to remember it for who binds late.
  virtual void remember(const catalog::ResourceName& exchange, const Message& message) {
    static_cast<void>(exchange), static_cast<void>(message);
  }
  /// True while too much of the channel's is under way, or too many copies of all channels'
  /// messages while it has some, or when too many were made in this turn; it should stop reading
  /// its publisher until on_uncongested.
  virtual bool is_congested(ChannelId channel) = 0;

  virtual void subscribe(ChannelId channel, RequestId request, catalog::QueueId queue,
                         const Subscription& subscription) = 0;
  /// Messages that the consumer holds stay with the channel.
  virtual void unsubscribe(ChannelId channel, RequestId request, std::string_view consumer_tag) = 0;
  /// Allows `credit` more deliveries to the consumer, as earlier ones left the connection.
  virtual void grant(ChannelId channel, std::string_view consumer_tag, std::uint32_t credit) = 0;
  /// Most unacknowledged deliveries to the channel's consumers from each queue; 0: no limit. When
  /// there are that many, even consumers with no_ack wait.
  virtual void limit_unacknowledged(ChannelId channel, std::uint16_t limit) = 0;

  virtual void get(ChannelId channel, RequestId request, catalog::QueueId queue, bool no_ack) = 0;
  virtual void settle(ChannelId channel, catalog::QueueId queue, Lease lease,
                      std::span<const MessageIndex> messages, Outcome outcome) = 0;
  /// Answered when everything that the channel settled before is durable.
  virtual void sync(ChannelId channel, RequestId request) = 0;

  /// Counts ready messages and consumers.
  virtual void count(ChannelId channel, RequestId request, catalog::QueueId queue) = 0;
  virtual void purge(ChannelId channel, RequestId request, catalog::QueueId queue) = 0;
  virtual void delete_queue(ChannelId channel, RequestId request, catalog::QueueId queue,
                            bool if_unused, bool if_empty) = 0;
  /// Changes the catalog by one command after the other, up to the first that is refused; nothing
  /// comes between them. Answered when this node has applied them: with the error when the first
  /// is refused, otherwise with how many took effect.
  virtual void change(ChannelId channel, RequestId request,
                      std::span<const catalog::Command> commands) = 0;
  void change(ChannelId channel, RequestId request, const catalog::Command& command) {
    change(channel, request, std::span(&command, 1));
  }
};

}  // namespace warren::broker
