#include "broker/queue_consumers.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"

namespace warren::broker {

using base::ErrorCode;
using base::fail;

bool QueueConsumer::can_take() const {
  if (subscription.credit == 0 || channel->is_full()) return false;
  return subscription.no_ack || subscription.prefetch == 0 ||
         unacknowledged < subscription.prefetch;
}

QueueConsumer* QueueChannel::find(std::uint32_t number) {
  auto found = std::ranges::lower_bound(by_number, number, {}, &QueueConsumer::number);
  return found != by_number.end() && (*found)->number == number ? *found : nullptr;
}

QueueChannel* QueueConsumers::find_channel(ChannelId id) {
  auto found = channels_.find(id);
  return found == channels_.end() ? nullptr : &found->second;
}

QueueChannel& QueueConsumers::make_channel(ChannelId id) {
  QueueChannel& channel = channels_[id];
  channel.id = id;
  return channel;
}

void QueueConsumers::drop_if_idle(QueueChannel& channel) {
  if (channel.is_idle()) channels_.erase(channel.id);
}

base::Result<> QueueConsumers::subscribe(ChannelId id, const Subscription& subscription) {
  if (has_exclusive_ || (subscription.exclusive && count_ > 0))
    return fail(ErrorCode::access_refused, "in exclusive use");
  QueueChannel& channel = make_channel(id);
  auto [place, is_new] = channel.consumers.try_emplace(subscription.consumer_tag);
  if (!is_new)
    return fail(ErrorCode::not_allowed,
                "attempt to reuse consumer tag '" + subscription.consumer_tag + "'");
  QueueConsumer& consumer = place->second;
  consumer.channel = &channel;
  consumer.number = ++last_number_;
  consumer.subscription = subscription;
  consumer.place = consumer.parked.insert(consumer.parked.end(), &consumer);
  channel.by_number.push_back(&consumer);
  ++rotations_[subscription.priority].members;
  ++count_;
  has_exclusive_ = subscription.exclusive;
  had_consumers_ = true;
  if (is_single_active_ && !active_) active_ = &consumer;
  enter(consumer);
  return {};
}

bool QueueConsumers::unsubscribe(ChannelId id, std::string_view consumer_tag) {
  QueueChannel* channel = find_channel(id);
  if (!channel) return false;
  auto found = channel->consumers.find(consumer_tag);
  if (found == channel->consumers.end()) return false;
  erase(*channel, found->second);
  drop_if_idle(*channel);
  return true;
}

void QueueConsumers::unsubscribe_all(QueueChannel& channel) {
  while (!channel.by_number.empty()) erase(channel, *channel.by_number.back());
}

void QueueConsumers::erase(QueueChannel& channel, QueueConsumer& consumer) {
  park(consumer);
  auto rotation = rotations_.find(consumer.subscription.priority);
  ASSERT(rotation != rotations_.end());
  if (--rotation->second.members == 0) {
    if (highest_ == rotation) ++highest_;
    rotations_.erase(rotation);
  }
  --count_;
  if (consumer.subscription.exclusive) has_exclusive_ = false;
  auto place =
      std::ranges::lower_bound(channel.by_number, consumer.number, {}, &QueueConsumer::number);
  channel.by_number.erase(place);
  bool was_active = active_ == &consumer;
  channel.consumers.erase(channel.consumers.find(consumer.subscription.consumer_tag));
  if (was_active) choose_active();
}

void QueueConsumers::set_single_active(bool is_single) {
  if (is_single_active_ == is_single) return;
  is_single_active_ = is_single;
  for (auto& [id, channel] : channels_)
    for (QueueConsumer* consumer : channel.by_number) park(*consumer);
  choose_active();
  if (!is_single)
    for (auto& [id, channel] : channels_) wake_all(channel);
}

void QueueConsumers::choose_active() {
  active_ = nullptr;
  if (!is_single_active_) return;
  auto is_before = [](const QueueConsumer& a, const QueueConsumer& b) {
    std::int32_t priority = a.subscription.priority, other = b.subscription.priority;
    return priority != other ? priority > other : a.number < b.number;
  };
  for (auto& [id, channel] : channels_)
    for (QueueConsumer* consumer : channel.by_number)
      if (!active_ || is_before(*consumer, *active_)) active_ = consumer;
  if (active_) wake(*active_);
}

void QueueConsumers::grant(ChannelId id, std::string_view consumer_tag, std::uint32_t credit) {
  QueueChannel* channel = find_channel(id);
  if (!channel) return;
  auto found = channel->consumers.find(consumer_tag);
  if (found == channel->consumers.end()) return;
  std::uint32_t& left = found->second.subscription.credit;
  left += std::min(credit, std::numeric_limits<std::uint32_t>::max() - left);
  wake(found->second);
}

void QueueConsumers::limit(ChannelId id, std::uint16_t limit) {
  QueueChannel& channel = make_channel(id);
  channel.limit = limit;
  wake_all(channel);
  drop_if_idle(channel);
}

QueueConsumer* QueueConsumers::next() {
  for (; highest_ != rotations_.end(); ++highest_) {
    auto& waiting = highest_->second.waiting;
    while (!waiting.empty()) {
      QueueConsumer& consumer = *waiting.front();
      if (consumer.can_take()) return &consumer;
      park(consumer);
    }
  }
  return nullptr;
}

void QueueConsumers::on_delivered(QueueConsumer& consumer) {
  --consumer.subscription.credit;
  if (!consumer.subscription.takes_for_good()) {
    ++consumer.unacknowledged;
    ++consumer.channel->delivered;
  }
  auto& waiting = rotations_.find(consumer.subscription.priority)->second.waiting;
  waiting.splice(waiting.end(), waiting, consumer.place);
}

void QueueConsumers::on_released(QueueChannel& channel, std::uint32_t consumer_number) {
  if (consumer_number == 0) return;
  bool was_full = channel.is_full();
  --channel.delivered;
  QueueConsumer* consumer = channel.find(consumer_number);
  if (consumer) --consumer->unacknowledged;
  if (was_full && !channel.is_full())
    wake_all(channel);
  else if (consumer)
    wake(*consumer);
}

void QueueConsumers::wake(QueueConsumer& consumer) {
  if (consumer.can_take()) enter(consumer);
}

void QueueConsumers::enter(QueueConsumer& consumer) {
  if (consumer.is_waiting || !is_active(consumer)) return;
  auto rotation = rotations_.find(consumer.subscription.priority);
  auto& waiting = rotation->second.waiting;
  waiting.splice(waiting.end(), consumer.parked);
  consumer.is_waiting = true;
  if (highest_ == rotations_.end() || rotation->first > highest_->first) highest_ = rotation;
}

/// In the order in which their turns had come.
void QueueConsumers::wake_all(QueueChannel& channel) {
  if (channel.by_number.size() == 1) return wake(*channel.by_number.front());
  std::vector<QueueConsumer*> in_turn = channel.by_number;
  std::ranges::stable_sort(in_turn, {}, &QueueConsumer::parked_at);
  for (QueueConsumer* consumer : in_turn) wake(*consumer);
}

void QueueConsumers::park(QueueConsumer& consumer) {
  if (!consumer.is_waiting) return;
  auto& waiting = rotations_.find(consumer.subscription.priority)->second.waiting;
  consumer.parked.splice(consumer.parked.end(), waiting, consumer.place);
  consumer.is_waiting = false;
  consumer.parked_at = ++parked_;
}

}  // namespace warren::broker
