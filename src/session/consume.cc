#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "broker/equivalence.h"
#include "broker/names.h"
#include "codec/amqp091_content.h"
#include "session/channel.h"
#include "session/publish_checks.h"

/// Consumers and what comes to them: qos, consume, cancel, get, deliver and credit.
namespace warren::session::amqp091 {

using namespace codec::amqp091;
using broker::ResourceKind;

namespace {

bool is_true(const base::FieldTable& table, std::string_view name) {
  const base::FieldValue* value = table.find(name);
  const bool* flag = value == nullptr ? nullptr : value->as<bool>();
  return flag != nullptr && *flag;
}

}  // namespace

Verdict Channel::handle(const BasicQos& qos) {
  if (qos.prefetch_size != 0)
    return refuse(ReplyCode::not_implemented,
                  fmt::format("prefetch_size!=0 ({})", qos.prefetch_size));
  const bool had_global = global_prefetch_ != 0;
  // A limit for consumers lifts the channel's, but not the other way round.
  if (qos.global) {
    global_prefetch_ = qos.prefetch_count;
  } else {
    prefetch_ = qos.prefetch_count;
    global_prefetch_ = 0;
  }
  if (qos.global || had_global) gateway().limit_unacknowledged(id_, global_prefetch_);
  send(BasicQosOk{});
  deliver_held_up();
  return {};
}

Verdict Channel::handle(const BasicConsume& consume) {
  if (!consume.consumer_tag.empty() && consumers_.contains(consume.consumer_tag))
    return refuse(ReplyCode::not_allowed,
                  fmt::format("attempt to reuse consumer tag '{}'", consume.consumer_tag));
  if (consume.queue == direct_reply_to) return consume_replies(consume);
  auto name = expand_name(consume.queue);
  if (!name) return std::unexpected(std::move(name).error());
  if (auto allowed = check_access(ResourceKind::queue, *name, broker::Access::read); !allowed)
    return refuse(allowed.error());
  const auto queue = find_queue(*name);
  if (!queue) return std::unexpected(queue.error());
  const QueueName& queue_name = (*queue)->name;
  if (auto sound = broker::check_consumer_arguments(queue_name, consume.arguments); !sound)
    return refuse(sound.error());
  if (consume.exclusive && broker::has_single_active_consumer((*queue)->arguments))
    return refuse_queue({base::ErrorCode::access_refused, "in exclusive use"}, queue_name);
  subscribe(consume, **queue);
  return {};
}

bool Channel::is_prefetch_used_up() const {
  return global_prefetch_ != 0 && unacknowledged_.consumed() >= global_prefetch_;
}

/// Subscribes under the client's tag, or under one that is made up; returns it.
std::string Channel::subscribe(const BasicConsume& consume, const catalog::Queue& queue) {
  broker::Subscription subscription;
  subscription.consumer_tag =
      consume.consumer_tag.empty() ? make_name(broker::make_consumer_tag) : consume.consumer_tag;
  subscription.no_ack = consume.no_ack;
  // Such a consumer waits too when the channel is full, and its queue knows of no other queue.
  subscription.is_settled_by_channel = consume.no_ack && global_prefetch_ != 0;
  subscription.exclusive = consume.exclusive;
  subscription.cancel_on_failover = is_true(consume.arguments, "x-cancel-on-ha-failover");
  subscription.prefetch = prefetch_;
  if (const auto* priority = consume.arguments.find("x-priority"))
    subscription.priority = static_cast<std::int32_t>(
        std::clamp<std::int64_t>(priority->to_integer(), std::numeric_limits<std::int32_t>::min(),
                                 std::numeric_limits<std::int32_t>::max()));
  subscription.credit = talk_.environment.limits.first_credit;
  subscription.arguments = consume.arguments;

  Consumer& consumer = consumers_[subscription.consumer_tag];
  consumer.queue = queue.id;
  consumer.no_wait = consume.no_wait;
  consumer.no_ack = consume.no_ack;
  consumer.is_settled_here = subscription.is_settled_by_channel;
  consumer.is_for_replies = replies_ && queue.name.name == replies_->queue;
  consumer.credit = subscription.credit;
  consumer.grant_at = consumer.credit / 2;
  const broker::RequestId request =
      ask([this, tag = subscription.consumer_tag, name = queue.name](Answer answer) {
        return on_subscribed(tag, name, std::move(answer));
      });
  gateway().subscribe(id_, request, consumer.queue, subscription);
  return subscription.consumer_tag;
}

Verdict Channel::on_subscribed(const std::string& consumer_tag, const QueueName& queue,
                               Answer answer) {
  const auto found = consumers_.find(consumer_tag);
  if (!answer) {
    forget_consumer(consumer_tag);
    return refuse_queue(answer.error(), queue);
  }
  if (found != consumers_.end()) become_active(consumer_tag, found->second);
  return {};
}

/// Answers the client's consume, once: a first delivery may come before the answer.
void Channel::become_active(const std::string& consumer_tag, Consumer& consumer) {
  if (consumer.stage != Consumer::Stage::subscribing) return;
  consumer.stage = Consumer::Stage::active;
  if (!consumer.no_wait) send(BasicConsumeOk{consumer_tag});
}

Verdict Channel::handle(const BasicCancel& cancel) {
  const auto found = consumers_.find(cancel.consumer_tag);
  if (found == consumers_.end()) {
    if (!cancel.no_wait) send(BasicCancelOk{cancel.consumer_tag});
    return {};
  }
  found->second.stage = Consumer::Stage::cancelling;
  const broker::RequestId request =
      ask([this, tag = cancel.consumer_tag, no_wait = cancel.no_wait](Answer) -> Verdict {
        // A consumer that the queue lost meanwhile is as cancelled as one that it dropped.
        forget_consumer(tag);
        if (!no_wait) send(BasicCancelOk{tag});
        return {};
      });
  gateway().unsubscribe(id_, request, cancel.consumer_tag);
  return {};
}

Verdict Channel::handle(const BasicGet& get) {
  auto name = expand_name(get.queue);
  if (!name) return std::unexpected(std::move(name).error());
  if (auto allowed = check_access(ResourceKind::queue, *name, broker::Access::read); !allowed)
    return refuse(allowed.error());
  const auto queue = find_queue(*name);
  if (!queue) return std::unexpected(queue.error());
  getting_ = Getting{talk_.next_request(), (*queue)->name.name, get.no_ack};
  gateway().get(id_, getting_->request, (*queue)->id, get.no_ack);
  return {};
}

void Channel::on_got(broker::RequestId request,
                     base::Result<std::optional<broker::Delivery>> delivery,
                     std::uint64_t remaining) {
  talk_.note_event();
  if (!getting_ || getting_->request != request) return;
  const Getting asked = *std::exchange(getting_, std::nullopt);
  if (!delivery) {
    finish(refuse_queue(delivery.error(), in_vhost(asked.queue)));
  } else if (!*delivery) {
    send(BasicGetEmpty{});
  } else {
    const broker::Delivery& got = **delivery;
    const broker::Message& message = got.message;
    const std::uint64_t tag = ++last_delivery_tag_;
    if (!asked.no_ack) watch({tag, got.queue, got.lease, got.index});
    send(BasicGetOk{tag, got.redelivered,
                    std::string(message.exchange()), std::string(message.routing_key()),
                    static_cast<std::uint32_t>(remaining)});
    send_content(BasicGetOk::ids, message);
    if (is_traced()) talk_.environment.firehose.copy_delivery(place(), got);
  }
  drain_inbox();
}

/// Every delivery takes a tag, but for answers to questions; only those that are to be acknowledged
/// are remembered.
std::uint64_t Channel::next_tag(const Consumer& consumer, const broker::Delivery& delivery) {
  if (consumer.is_for_replies) return last_delivery_tag_ + 1;
  const std::uint64_t tag = ++last_delivery_tag_;
  if (!consumer.no_ack) watch({tag, delivery.queue, delivery.lease, delivery.index, true});
  return tag;
}

Channel::NamedConsumer* Channel::find_consumer(std::string_view consumer_tag) {
  if (last_served_ && last_served_->first == consumer_tag) return last_served_;
  const auto found = consumers_.find(consumer_tag);
  return last_served_ = found == consumers_.end() ? nullptr : &*found;
}

void Channel::on_delivery(std::string_view consumer_tag, const broker::Delivery& delivery) {
  talk_.note_event();
  NamedConsumer* found = find_consumer(consumer_tag);
  if (found == nullptr) {
    gateway().settle(id_, delivery.queue, delivery.lease, {&delivery.index, 1},
                     broker::Outcome::returned);
    return;
  }
  const bool may_wait = !found->second.no_ack || found->second.is_settled_here;
  if (is_prefetch_used_up() && may_wait)
    held_up_.push_back({std::string(consumer_tag), delivery});
  else
    deliver(*found, delivery);
}

void Channel::deliver(NamedConsumer& to, const broker::Delivery& delivery) {
  const std::string& consumer_tag = to.first;
  Consumer& consumer = to.second;
  become_active(consumer_tag, consumer);
  const broker::MessageParts parts = delivery.message.parts();
  write_delivery(talk_.output, number_,
                 {consumer_tag, next_tag(consumer, delivery), delivery.redelivered,
                  parts.exchange, parts.routing_key},
                 {parts.properties, parts.body, delivery.message.block()}, talk_.frame_max);
  note_delivered(consumer, parts.body.size());
  if (is_traced() && !consumer.is_for_replies)
    talk_.environment.firehose.copy_delivery(place(), delivery);
  if (consumer.is_settled_here)
    gateway().settle(id_, delivery.queue, delivery.lease, {&delivery.index, 1},
                     broker::Outcome::acknowledged);
}

void Channel::deliver_held_up() {
  while (!held_up_.empty() && !is_prefetch_used_up()) {
    const HeldUp next = std::move(held_up_.front());
    held_up_.pop_front();
    // Whoever ends gives back what is held up for it.
    if (NamedConsumer* found = find_consumer(next.consumer_tag)) deliver(*found, next.delivery);
  }
}

void Channel::forget_consumer(const std::string& consumer_tag) {
  last_served_ = nullptr;
  consumers_.erase(consumer_tag);
  erase_if(held_up_, [&](const HeldUp& held) {
    if (held.consumer_tag != consumer_tag) return false;
    gateway().settle(id_, held.delivery.queue, held.delivery.lease, {&held.delivery.index, 1},
                     broker::Outcome::returned);
    return true;
  });
  if (replies_ && consumer_tag == replies_->consumer_tag) replies_.reset();
}

void Channel::note_delivered(Consumer& consumer, std::size_t body_bytes) {
  if (consumer.credit > 0) --consumer.credit;
  consumer.average_bytes = (consumer.average_bytes * 7 + body_bytes) / 8;
  if (wants_grants_ || consumer.credit > consumer.grant_at) return;
  wants_grants_ = true;
  talk_.granting.push_back(number_);
}

/// Consumers of large messages get less credit, so that the output stays within its limit.
std::uint32_t Channel::credit_window(const Consumer& consumer) const {
  const Limits& limits = talk_.environment.limits;
  const std::size_t fitting = limits.output_bytes / (consumer.average_bytes + 1);
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(fitting, 2, limits.most_credit));
}

void Channel::grant_credit() {
  if (!wants_grants_) return;
  wants_grants_ = false;
  for (auto& [tag, consumer] : consumers_) {
    const std::uint32_t window = credit_window(consumer);
    if (consumer.stage == Consumer::Stage::cancelling || consumer.credit > window / 2) continue;
    gateway().grant(id_, tag, window - consumer.credit);
    consumer.credit = window;
    consumer.grant_at = window / 2;
  }
}

void Channel::on_consumer_cancelled(std::string_view consumer_tag) {
  talk_.note_event();
  const auto found = consumers_.find(consumer_tag);
  if (found == consumers_.end() || found->second.stage == Consumer::Stage::cancelling) return;
  become_active(found->first, found->second);
  forget_consumer(std::string(consumer_tag));
  if (talk_.notifies_consumer_cancel) send(BasicCancel{std::string(consumer_tag), true});
}

}  // namespace warren::session::amqp091
