#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/channel.h"
#include "sim/world.h"

namespace warren::sim {

using broker::ChannelId;
using broker::PublishSeq;
using catalog::QueueId;

/// What the simulator knows of every message, because it sent and got them all, and the promises
/// that follow from that. A publish that goes to two queues counts as two messages here.
class Ledger {
 public:
  explicit Ledger(World& world) : world_(world) {}

  /// Gives the body for a publish to these queues.
  base::Bytes publish(ChannelId channel, PublishSeq seq, bool is_persistent,
                      const std::vector<QueueId>& queues, std::size_t padding);
  void confirmed(ChannelId channel, PublishSeq seq);

  /// A delivery to that channel. Gives the message's number, or 0 when something is wrong.
  std::uint64_t delivered(ChannelId consumer, const broker::Delivery& delivery);
  /// The client has tried to settle it for good; that may be lost on the way.
  void settled(QueueId queue, std::uint64_t message);
  /// The client has tried to reject it, so that it goes to the other queue as a dead letter: from
  /// then on it is in one of the two, or in both, and may come to the other more than once.
  void rejected(QueueId queue, std::uint64_t message, QueueId dead_letters);
  /// The broker has said that what was settled is durable.
  void settled_durably(QueueId queue, std::uint64_t message);

  /// A queue and its leadership, as a node has heard of them. One epoch of a queue has one leader.
  void note_leader(const catalog::Queue& queue);
  /// A process has ended, and with it what it knew.
  void note_end_of_process() { ++generation_; }

  void note_queue(QueueId queue, bool is_durable) { queues_[queue].is_durable = is_durable; }
  /// Messages of that queue may go for other reasons from now on: no_ack, a purge, a deletion.
  void excuse(QueueId queue) { queues_[queue].is_excused = true; }
  /// All that was published to the queue until now may be gone, and nothing else.
  void excuse_messages(QueueId queue);

  /// Messages must be there that were confirmed and not settled. Call when everything is drained.
  void check_nothing_lost();
  std::size_t published() const { return numbers_.size(); }
  std::size_t confirmed_count() const { return confirmed_; }
  std::size_t delivered_count() const { return delivered_; }

 private:
  struct Message {
    bool is_persistent = false;
    bool is_confirmed = false;
    bool is_delivered = false;  ///< as one that was not delivered before
    bool is_settled = false;
    bool is_settled_durably = false;
    bool is_excused = false;
    bool is_dead_letter = false;  ///< it died in another queue, which has to answer for it
    bool is_rejected = false;
    std::uint64_t delivered_in = 0;  ///< the generation of its last delivery
  };
  struct Queue {
    bool is_durable = false;
    bool is_excused = false;
    QueueId dead_letters;
    bool has_priorities = false;
    std::map<catalog::Epoch, catalog::NodeName> leaders;
    /// The last generation in which a leader began that had the only copy. It knows what was
    /// delivered from its disk, where that is not synced.
    std::uint64_t single_in = 0;
    std::map<std::uint64_t, Message> messages;
  };
  struct Publish {
    std::vector<QueueId> queues;
    bool is_confirmed = false;
    std::uint64_t number = 0;
  };
  struct Order {
    ChannelId consumer;
    QueueId queue;
    ChannelId producer;
    std::uint8_t priority;
    auto operator<=>(const Order&) const = default;
  };

  Message* find(QueueId queue, std::uint64_t number);

  World& world_;
  std::uint64_t last_number_ = 0;
  std::uint64_t generation_ = 1;
  std::size_t confirmed_ = 0;
  std::size_t delivered_ = 0;
  std::map<std::pair<ChannelId, PublishSeq>, Publish> numbers_;
  std::map<QueueId, Queue> queues_;
  /// The last publish of each producer and priority that a consumer got for the first time.
  std::map<Order, PublishSeq> order_;
};

}  // namespace warren::sim
