#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/channel.h"
#include "broker/message_run.h"

/// The parts of a queue that know its consumers; for queue.cc only.
namespace warren::broker {

struct QueueChannel;

struct QueueConsumer {
  QueueChannel* channel;
  std::uint32_t number;       ///< names the consumer in MessageRun::Entry
  Subscription subscription;  ///< with the credit that is left
  std::uint64_t unacknowledged = 0;

  /// Holds the consumer's node while it is not in the rotation, so that going in and out of it
  /// allocates nothing.
  std::list<QueueConsumer*> parked;
  std::list<QueueConsumer*>::iterator place;
  bool is_waiting = false;  ///< in the rotation
  std::uint64_t parked_at = 0;  ///< counts up with each that leaves the rotation

  bool can_take() const;
};

/// What a queue knows of a channel that consumes from it or holds messages of it.
struct QueueChannel {
  ChannelId id;
  std::uint16_t limit = 0;      ///< most messages that its consumers may hold; 0: no limit
  std::uint64_t delivered = 0;  ///< held messages that came through consumers, ended ones too
  MessageRun held;
  std::map<std::string, QueueConsumer, std::less<>> consumers;
  /// The same consumers in the order of their numbers.
  std::vector<QueueConsumer*> by_number;

  bool is_full() const { return limit != 0 && delivered >= limit; }
  bool is_idle() const { return limit == 0 && held.empty() && consumers.empty(); }
  QueueConsumer* find(std::uint32_t number);
};

/// The channels of a queue, their consumers, and whose turn it is. Consumers stand in the rotation
/// of their priority; one whose turn comes when it can't take a message leaves it until credit or
/// room comes back.
class QueueConsumers {
 public:
  QueueConsumers() = default;
  QueueConsumers(const QueueConsumers&) = delete;
  QueueConsumers& operator=(const QueueConsumers&) = delete;

  QueueChannel* find_channel(ChannelId id);
  QueueChannel& make_channel(ChannelId id);
  /// Forgets the channel when nothing ties it to the queue.
  void drop_if_idle(QueueChannel& channel);

  base::Result<> subscribe(ChannelId channel, const Subscription& subscription);
  bool unsubscribe(ChannelId channel, std::string_view consumer_tag);
  void unsubscribe_all(QueueChannel& channel);
  void grant(ChannelId channel, std::string_view consumer_tag, std::uint32_t credit);
  void limit(ChannelId channel, std::uint16_t limit);

  /// Only one consumer is served, however many there are: the first, and when it ends the first of
  /// those with the highest priority.
  void set_single_active(bool is_single);
  /// Whether the consumer is served, as far as the others are concerned.
  bool is_active(const QueueConsumer& consumer) const {
    return !is_single_active_ || active_ == &consumer;
  }
  bool is_single_active() const { return is_single_active_; }

  /// The consumer that has the next turn, or null when none can take a message.
  QueueConsumer* next();
  /// That consumer got a message; its turn comes again after the others of its priority.
  void on_delivered(QueueConsumer& consumer);
  /// A message that the consumer of that number held is held no more.
  void on_released(QueueChannel& channel, std::uint32_t consumer_number);

  std::size_t count() const { return count_; }
  bool had_consumers() const { return had_consumers_; }
  const std::map<ChannelId, QueueChannel>& channels() const { return channels_; }
  std::map<ChannelId, QueueChannel>& channels() { return channels_; }

 private:
  void enter(QueueConsumer& consumer);
  void wake(QueueConsumer& consumer);
  void wake_all(QueueChannel& channel);
  void park(QueueConsumer& consumer);
  void erase(QueueChannel& channel, QueueConsumer& consumer);
  void choose_active();

  std::map<ChannelId, QueueChannel> channels_;
  /// Who waits for messages, by priority, the highest first. A priority goes with its last
  /// consumer.
  struct Rotation {
    std::list<QueueConsumer*> waiting;
    std::size_t members = 0;
  };
  std::map<std::int32_t, Rotation, std::greater<>> rotations_;
  /// No rotation before this one has anyone waiting, so that next() need not look there.
  std::map<std::int32_t, Rotation, std::greater<>>::iterator highest_ = rotations_.end();
  std::uint32_t last_number_ = 0;
  std::uint64_t parked_ = 0;
  std::size_t count_ = 0;
  bool has_exclusive_ = false;
  bool is_single_active_ = false;
  QueueConsumer* active_ = nullptr;  ///< who is served where only one is
  bool had_consumers_ = false;
};

}  // namespace warren::broker
