#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/channel.h"
#include "broker/dying_messages.h"
#include "broker/message_run.h"
#include "broker/queue_times.h"

namespace warren::broker {

struct ConsumerInfo {
  ChannelId channel;
  std::string consumer_tag;
  bool no_ack = false;
  bool exclusive = false;
  std::uint16_t prefetch = 0;
  std::int32_t priority = 0;
  std::uint64_t unacknowledged = 0;
  /// Whether messages come to it; and whether it is the only one to which they do, because the
  /// queue has a single active consumer.
  bool is_active = true;
  bool is_single_active = false;
  base::FieldTable arguments;
};

struct QueueCounts {
  std::uint64_t ready = 0;
  std::uint64_t unacknowledged = 0;
  std::uint64_t consumers = 0;
  std::uint64_t ready_bytes = 0;           ///< bodies only
  std::uint64_t unacknowledged_bytes = 0;  ///< bodies only
  std::uint64_t dying = 0;  ///< neither ready nor unacknowledged
};

/// A message that was read from disk.
using StoredBody = MessageRun::Body;

/// The leader's side of one queue: which messages are ready, who consumes, who holds what
/// unacknowledged. Pure state: it numbers nothing, writes nothing and sends nothing. Its owner
/// puts messages in under their log indexes, calls `deliver`, and logs what left for good.
///
/// Order: ready messages leave by index, where the queue knows priorities by those first; a
/// requeued one goes back to its place. Consumers of the highest priority with credit are served
/// round robin.
class Queue {
 public:
  struct Outgoing {
    ChannelId channel;
    std::string_view consumer_tag;  ///< valid until the consumer ends
    MessageIndex index;
    bool redelivered = false;
    bool no_ack = false;  ///< has left the queue for good
    Message message;
  };
  struct Got {
    MessageIndex index;
    bool redelivered = false;
    Message message;
  };

  Queue();
  ~Queue();
  Queue(Queue&&) noexcept;
  Queue& operator=(Queue&&) noexcept;

  /// `index` must be higher than any put in before, except while a replica is being promoted.
  void put(MessageIndex index, Message message, bool redelivered);
  /// Of a message that is on disk only.
  void put_stored(MessageIndex index, std::uint32_t body_bytes, std::uint8_t priority);
  /// So many are about to be put in: spares making room for them step by step.
  void reserve(std::size_t messages);
  /// Ready messages leave by priority; higher ones than `most` count as `most`. Zero, as it is at
  /// first: priorities mean nothing. Before it, `put_stored` keeps priorities up to the last most.
  void set_max_priority(std::uint8_t most);
  std::uint8_t max_priority() const;
  /// Only one consumer at a time gets messages: the first, and when it ends the first of those with
  /// the highest priority.
  void set_single_active_consumer(bool is_single);

  /// access_refused "in exclusive use" when an exclusive consumer is there, or when exclusive is
  /// asked and any consumer is there. The consumer_tag must be new in that channel.
  base::Result<> subscribe(ChannelId channel, const Subscription& subscription);
  /// What the consumer holds stays with its channel. False when there is no such consumer.
  bool unsubscribe(ChannelId channel, std::string_view consumer_tag);
  void grant(ChannelId channel, std::string_view consumer_tag, std::uint32_t credit);
  void limit_unacknowledged(ChannelId channel, std::uint16_t limit);

  /// Delivers what consumers can take of messages with index <= `limit`, at most `most` of them.
  /// Appends to `out`; deliveries with no_ack have left the queue and are to be logged as settled.
  void deliver(MessageIndex limit, std::size_t most, std::vector<Outgoing>& out);
  /// Takes the next ready message with index <= `limit`. With no_ack it has left for good.
  std::optional<Got> get(ChannelId channel, bool no_ack, MessageIndex limit);

  /// Takes back or drops what the channel holds; indexes that it does not hold are passed over.
  /// Appends to `gone` those that left the queue for good. What is rejected dies.
  void settle(ChannelId channel, std::span<const MessageIndex> messages, Outcome outcome,
              std::vector<MessageIndex>& gone);
  /// Ends the channel's consumers and requeues what it holds.
  /// Answers which left the queue by that, having come back too often.
  std::vector<MessageIndex> drop_channel(ChannelId channel);
  /// Drops all ready messages; appends their indexes to `gone`.
  void purge(std::vector<MessageIndex>& gone);

  /// A message dies when it leaves other than by being taken or purged. In a queue that keeps its
  /// dead it stays, so that it can be taken somewhere else first, until it is removed; otherwise
  /// it is gone.
  void set_keeps_dead(bool keeps_dead);
  /// One that is given back more often dies. What came back before is counted only where there was
  /// a limit then.
  void set_delivery_limit(std::optional<std::uint64_t> limit);
  /// Ends one that is ready; passes over one that is not.
  void end(MessageIndex message, DeathReason reason, std::vector<MessageIndex>& gone);
  /// Ends the oldest ready ones with index <= `limit` while there are more ready messages than
  /// `length`, or octets of bodies than `bytes`.
  void drop_excess(std::uint64_t length, std::uint64_t bytes, MessageIndex limit,
                   std::vector<MessageIndex>& gone);
  /// When messages came in, for those that may expire. Marks must come before the messages that
  /// they are about.
  void add_time(const TimeMark& mark);
  void set_times(std::vector<TimeMark> marks);
  std::vector<TimeMark> times() const;
  /// Some message may expire.
  bool has_times() const;
  /// The mark that a message needs which comes in now, see QueueTimes.
  std::optional<TimeMark> find_needed_time(WallMs now, std::optional<std::uint64_t> ttl_ms,
                                           bool has_expiration) const;
  /// Ends what is next for delivery, with an index <= `limit`, while it has expired; what stands
  /// behind one that has not stays. A message that may not stay at all ends only when `deliver` has
  /// passed it by. From now on nothing is delivered that has expired at `now`: `deliver` and `get`
  /// stop before it. Answers whether any ended.
  bool expire(WallMs now, MessageIndex limit, std::vector<MessageIndex>& gone);
  /// When that of the messages up to `limit` that is next for delivery expires. Of one that is not
  /// in memory that may not be known; then the queue is starved.
  WallMs next_expiry(MessageIndex limit) const;
  /// The one that died first, of those that were not passed.
  std::optional<DyingMessage> next_dying();
  void pass_dying();
  /// Those of the next `most` that are dying and on disk only.
  std::vector<MessageIndex> missing_dying(std::size_t most) const;
  /// One that was passed is to be taken somewhere else again, after the others.
  void die_again(MessageIndex index, DeathReason reason);
  /// All that are dying are gone.
  void drop_dying(std::vector<MessageIndex>& gone);
  /// All that are dying are ready again.
  void revive_dying();

  /// Messages need not be in memory: those that its owner can read from disk may go, and come back
  /// when they are wanted. Deliveries stop at the first that is not there.

  /// The owner can read everything from `first` to `last`: drops it from memory.
  void page_out(MessageIndex first, MessageIndex last);
  /// The same, but keeps it in memory as well until `evict`.
  void mark_stored(MessageIndex first, MessageIndex last);
  /// Drops from memory what is stored.
  void evict(MessageIndex first, MessageIndex last);
  /// What was read, in order.
  void page_in(std::span<const StoredBody> bodies);
  /// The message that `deliver` or `get` met last and that is ready, but not in memory; zero when
  /// there is none.
  MessageIndex missing() const;
  /// The message that is delivered next; zero when none is ready.
  MessageIndex first_ready() const;
  /// No ready message has a lower index; zero when none is ready.
  MessageIndex lowest_ready() const;
  /// Whole messages in memory, ready or not.
  std::uint64_t resident_bytes() const;

  QueueCounts counts() const;
  /// No message is in it, ready or not.
  bool is_empty() const;
  bool had_consumers() const;  ///< for auto-delete: at least one subscribed since the start
  std::vector<ConsumerInfo> consumers() const;
  /// The channels that have consumers or hold messages, in order.
  std::vector<ChannelId> channels() const;

  /// The next three are for a replica, which keeps the messages and has no consumers, and for
  /// its promotion.
  /// Removes messages wherever they are; those that are not there are passed over.
  void remove(std::span<const MessageIndex> messages);
  /// From now on every message up to `limit` counts as delivered before.
  void mark_redelivered(MessageIndex limit);
  /// Visits the messages that are in the queue, ready or not, in index order, from the first with
  /// index >= `from`, until `visit` returns false. It must not change the queue. A message that is
  /// on disk only comes empty.
  void for_each_message(MessageIndex from,
                        const std::function<bool(MessageIndex, const Message&)>& visit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace warren::broker
