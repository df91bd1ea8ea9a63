#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "broker/channel.h"
#include "cluster/queue_entry.h"

/// What a channel and the leader of a queue say to each other, on one node or between two.
namespace warren::cluster {

using broker::ChannelId;
using broker::Lease;
using broker::PublishSeq;
using broker::RequestId;

/// A batch of publishes or deliveries ends when it is this long: what one message carries over a
/// link stays far below max_link_message_bytes, whatever the messages' sizes.
inline constexpr std::size_t max_batch_bytes = 1u << 20;

// From a channel to a queue's leader.

struct Publish {
  PublishSeq seq;
  broker::Message message;
  template <typename A>
  void fields(A& a) { a(seq, message); }
};
/// What the channel published in a turn, in its order.
struct PublishTo {
  std::vector<Publish> publishes;
  template <typename A>
  void fields(A& a) { a(publishes); }
};
struct SubscribeTo {
  RequestId request;  ///< zero: a subscription that is made again after a failover
  broker::Subscription subscription;
  template <typename A>
  void fields(A& a) {
    broker::Subscription& s = subscription;
    a(request, s.consumer_tag, s.no_ack, s.is_settled_by_channel, s.exclusive,
      s.cancel_on_failover, s.prefetch, s.priority, s.credit, s.arguments);
  }
};
struct UnsubscribeFrom {
  RequestId request;
  std::string consumer_tag;
  template <typename A>
  void fields(A& a) { a(request, consumer_tag); }
};
struct GrantTo {
  std::string consumer_tag;
  std::uint32_t credit = 0;
  template <typename A>
  void fields(A& a) { a(consumer_tag, credit); }
};
struct LimitTo {
  std::uint16_t limit = 0;
  template <typename A>
  void fields(A& a) { a(limit); }
};
struct GetFrom {
  RequestId request;
  bool no_ack = false;
  template <typename A>
  void fields(A& a) { a(request, no_ack); }
};
struct SettleTo {
  broker::Outcome outcome{};
  std::vector<MessageIndex> messages;
  template <typename A>
  void fields(A& a) { a(outcome, messages); }
};
struct SyncTo {
  RequestId request;
  template <typename A>
  void fields(A& a) { a(request); }
};
struct CountFrom {
  RequestId request;
  template <typename A>
  void fields(A& a) { a(request); }
};
struct PurgeFrom {
  RequestId request;
  template <typename A>
  void fields(A& a) { a(request); }
};
struct DeleteFrom {
  RequestId request;
  bool if_unused = false;
  bool if_empty = false;
  template <typename A>
  void fields(A& a) { a(request, if_unused, if_empty); }
};
/// The channel has ended: what it holds goes back to the queue. It may still wait to hear that its
/// publishes are safe, and says so once more when it has heard.
struct Detach {
  bool awaits_confirms = false;
  template <typename A>
  void fields(A& a) { a(awaits_confirms); }
};
using QueueRequest =
    std::variant<PublishTo, SubscribeTo, UnsubscribeFrom, GrantTo, LimitTo, GetFrom, SettleTo,
                 SyncTo, CountFrom, PurgeFrom, DeleteFrom, Detach>;
struct ToQueue {
  QueueId queue;
  Epoch epoch;
  ChannelId channel;
  Lease lease;
  /// Nothing was sent under this lease before. A leader takes up no lease in its middle, where it
  /// would take later publishes for a proof that it has the earlier ones.
  bool is_first = false;
  QueueRequest request;
  template <typename A>
  void fields(A& a) { a(queue, epoch, channel, lease, is_first, request); }
};

// From a queue's leader to a channel.

struct ConfirmedBy {
  std::vector<PublishSeq> publishes;
  template <typename A>
  void fields(A& a) { a(publishes); }
};
/// The queue had no room for these. Unlike a confirm this may be said of a publish that was taken,
/// after a failover.
struct RejectedBy {
  std::vector<PublishSeq> publishes;
  template <typename A>
  void fields(A& a) { a(publishes); }
};
struct DeliveredMessage {
  std::uint32_t consumer = 0;  ///< its place in DeliveredBy::consumer_tags
  MessageIndex index;
  bool redelivered = false;
  broker::Message message;
  template <typename A>
  void fields(A& a) { a(consumer, index, redelivered, message); }
};
/// What the channel's consumers get in a turn, in its order.
struct DeliveredBy {
  std::vector<std::string> consumer_tags;
  std::vector<DeliveredMessage> messages;
  template <typename A>
  void fields(A& a) { a(consumer_tags, messages); }
};
struct GotFrom {
  RequestId request;
  std::optional<DeliveredMessage> delivery;
  std::uint64_t remaining = 0;
  template <typename A>
  void fields(A& a) { a(request, delivery, remaining); }
};
struct RepliedBy {
  RequestId request;
  std::optional<base::ErrorCode> error;
  std::string error_text;
  std::uint64_t messages = 0;
  std::uint64_t consumers = 0;
  template <typename A>
  void fields(A& a) { a(request, error, error_text, messages, consumers); }
};
/// The consumer could not be made again.
struct CancelledBy {
  std::string consumer_tag;
  template <typename A>
  void fields(A& a) { a(consumer_tag); }
};
/// This node does not lead the queue in the epoch that was asked for, or the lease is not current:
/// the channel attaches again when it knows better.
struct NotLeading {
  template <typename A>
  void fields(A&) {}
};
using QueueEvent =
    std::variant<ConfirmedBy, RejectedBy, DeliveredBy, GotFrom, RepliedBy, CancelledBy,
                 NotLeading>;
struct ToChannel {
  ChannelId channel;
  QueueId queue;
  Lease lease;
  QueueEvent event;
  template <typename A>
  void fields(A& a) { a(channel, queue, lease, event); }
};

}  // namespace warren::cluster
