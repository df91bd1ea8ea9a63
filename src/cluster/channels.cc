#include "cluster/channels.h"

#include <algorithm>

#include "base/assert.h"

namespace warren::cluster {
namespace {

/// Publishes of one channel that may be under way before its publisher is held back.
constexpr std::size_t max_publishes = 4'096;
constexpr std::size_t max_publish_bytes = 16u << 20;

}  // namespace

Channels::Channels(QueueContext& context, const base::Clock& clock, ChannelId first_id,
                   base::Duration request_deadline)
    : context_(context), clock_(clock), next_id_(first_id), request_deadline_(request_deadline) {}

ChannelId Channels::open(broker::ChannelEvents& events) {
  ChannelId id = next_id_;
  next_id_ = next_id_.next();
  channels_[id].events = &events;
  return id;
}

Channels::Channel* Channels::find(ChannelId channel) {
  auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : &found->second;
}

void Channels::close(ChannelId id) {
  Channel* channel = find(id);
  if (!channel) return;
  channel->events = nullptr;
  for (auto& [queue, attachment] : channel->attachments) attachment.close();
  touched_.insert(id);
}

Attachment& Channels::attachment(ChannelId id, Channel& channel, QueueId queue) {
  auto [place, is_new] = channel.attachments.try_emplace(queue, context_, id, queue);
  if (is_new) {
    if (channel.limit != 0) place->second.limit(channel.limit);
    refresh(id, channel, place->second);
  }
  return place->second;
}

void Channels::refresh(ChannelId id, Channel& channel, Attachment& attachment) {
  Attachment::Effects effects;
  attachment.refresh(lease_, clock_.now(), effects);
  carry_out(id, channel, effects);
}

void Channels::publish(ChannelId id, PublishSeq seq, const broker::Message& message,
                       std::span<const QueueId> queues) {
  Channel* channel = find(id);
  if (!channel) return;
  std::size_t bytes = message.encoded().size();
  channel->publishes[seq] = Publish{queues.size(), bytes, false};
  channel->publish_bytes += bytes;
  touched_.insert(id);
  if (queues.empty()) {
    channel->publishes[seq].waiting = 1;
    finish_publish(*channel, seq, false);
    return;
  }
  for (QueueId queue : queues) {
    Attachment& to = attachment(id, *channel, queue);
    to.publish(seq, message);
    refresh(id, *channel, to);
  }
}

void Channels::finish_publish(Channel& channel, PublishSeq seq, bool rejected) {
  auto publish = channel.publishes.find(seq);
  if (publish == channel.publishes.end()) return;
  publish->second.is_rejected |= rejected;
  if (--publish->second.waiting > 0) return;
  channel.publish_bytes -= publish->second.bytes;
  (publish->second.is_rejected ? channel.rejected : channel.confirmed).push_back(seq);
  channel.publishes.erase(publish);
}

bool Channels::is_over_limit(const Channel& channel) const {
  return channel.publishes.size() > max_publishes || channel.publish_bytes > max_publish_bytes;
}

bool Channels::is_congested(ChannelId id) const {
  auto channel = channels_.find(id);
  if (channel == channels_.end()) return false;
  bool is_congested = is_over_limit(channel->second);
  const_cast<Channel&>(channel->second).was_congested |= is_congested;
  return is_congested;
}

void Channels::ask(ChannelId id, RequestId request, QueueId queue, QueueRequest what) {
  Channel* channel = find(id);
  if (!channel) return;
  Attachment& to = attachment(id, *channel, queue);
  to.ask(request, std::move(what), clock_.now() + request_deadline_);
  refresh(id, *channel, to);
}

void Channels::subscribe(ChannelId id, RequestId request, QueueId queue,
                         const broker::Subscription& subscription) {
  if (Channel* channel = find(id)) channel->consumers[subscription.consumer_tag] = queue;
  ask(id, request, queue, SubscribeTo{request, subscription});
}

void Channels::unsubscribe(ChannelId id, RequestId request, std::string_view consumer_tag) {
  Channel* channel = find(id);
  if (!channel) return;
  auto consumer = channel->consumers.find(consumer_tag);
  if (consumer == channel->consumers.end())
    return answer(id, request, broker::Reply{});
  QueueId queue = consumer->second;
  channel->consumers.erase(consumer);
  ask(id, request, queue, UnsubscribeFrom{request, std::string(consumer_tag)});
}

void Channels::grant(ChannelId id, std::string_view consumer_tag, std::uint32_t credit) {
  Channel* channel = find(id);
  if (!channel) return;
  auto consumer = channel->consumers.find(consumer_tag);
  if (consumer != channel->consumers.end())
    attachment(id, *channel, consumer->second).grant(std::string(consumer_tag), credit);
}

void Channels::limit_unacknowledged(ChannelId id, std::uint16_t limit) {
  Channel* channel = find(id);
  if (!channel) return;
  channel->limit = limit;
  for (auto& [queue, attachment] : channel->attachments) attachment.limit(limit);
}

void Channels::settle(ChannelId id, QueueId queue, Lease lease,
                      std::span<const MessageIndex> messages, broker::Outcome outcome) {
  Channel* channel = find(id);
  if (!channel) return;
  auto attachment = channel->attachments.find(queue);
  if (attachment == channel->attachments.end()) return;
  attachment->second.settle(lease, {messages.begin(), messages.end()}, outcome);
  channel->settled.insert(queue);
}

void Channels::sync(ChannelId id, RequestId request) {
  Channel* channel = find(id);
  if (!channel) return;
  std::set<QueueId> queues;
  queues.swap(channel->settled);
  std::erase_if(queues, [&](QueueId queue) { return !context_.catalog().find_queue(queue); });
  if (queues.empty()) return answer(id, request, broker::Reply{});
  channel->syncs[request] = Sync{queues.size(), {}};
  for (QueueId queue : queues) ask(id, request, queue, SyncTo{request});
}

void Channels::answer(ChannelId id, RequestId request, base::Result<broker::Reply> reply) {
  tell(id, [request, reply = std::move(reply)](broker::ChannelEvents& events) {
    events.on_reply(request, reply);
  });
}

void Channels::finish_request(ChannelId id, Channel& channel, RequestId request,
                              base::Result<broker::Reply> reply) {
  auto sync = channel.syncs.find(request);
  if (sync != channel.syncs.end()) {
    if (!reply) sync->second.error = reply.error();
    if (--sync->second.waiting > 0) return;
    if (sync->second.error) reply = std::unexpected(*sync->second.error);
    channel.syncs.erase(sync);
  }
  answer(id, request, std::move(reply));
}

void Channels::tell(ChannelId id, Task task) { tasks_.emplace_back(id, std::move(task)); }

void Channels::carry_out(ChannelId id, Channel& channel, const Attachment::Effects& effects) {
  for (PublishSeq seq : effects.confirmed) finish_publish(channel, seq, false);
  for (PublishSeq seq : effects.rejected) finish_publish(channel, seq, true);
  if (!effects.confirmed.empty() || !effects.rejected.empty()) touched_.insert(id);
  for (const std::string& tag : effects.cancelled) {
    channel.consumers.erase(tag);
    tell(id, [tag](broker::ChannelEvents& events) { events.on_consumer_cancelled(tag); });
  }
  for (const Attachment::Effects::Failed& failed : effects.failed) {
    if (!failed.is_get) {
      finish_request(id, channel, failed.request, std::unexpected(failed.error));
      continue;
    }
    tell(id, [request = failed.request, error = failed.error](broker::ChannelEvents& events) {
      events.on_got(request, std::unexpected(error), 0);
    });
  }
  for (RequestId request : effects.done) finish_request(id, channel, request, broker::Reply{});
}

void Channels::on_message(const NodeName&, ToChannel message) {
  Channel* channel = find(message.channel);
  if (!channel) return;
  auto place = channel->attachments.find(message.queue);
  if (place == channel->attachments.end()) return;
  Attachment& attachment = place->second;
  ChannelId id = message.channel;
  if (!attachment.is_current(message.lease)) {
    // The answer to a delete comes after the queue is gone, and with it the attachment.
    auto* replied = std::get_if<RepliedBy>(&message.event);
    if (!replied || context_.catalog().find_queue(message.queue)) return;
  }
  if (auto* confirmed = std::get_if<ConfirmedBy>(&message.event)) {
    Attachment::Effects effects;
    attachment.on_confirmed(*confirmed, effects);
    carry_out(id, *channel, effects);
  } else if (auto* delivered = std::get_if<DeliveredBy>(&message.event)) {
    attachment.on_delivered(delivered->consumer_tag);
    broker::Delivery delivery{message.queue, message.lease, delivered->index,
                              delivered->redelivered, std::move(delivered->message)};
    tell(id, [tag = std::move(delivered->consumer_tag),
              delivery = std::move(delivery)](broker::ChannelEvents& events) {
      events.on_delivery(tag, delivery);
    });
  } else if (auto* got = std::get_if<GotFrom>(&message.event)) {
    if (!attachment.on_answered(got->request, true)) return;
    std::optional<broker::Delivery> delivery;
    if (got->delivery)
      delivery = broker::Delivery{message.queue, message.lease, got->delivery->index,
                                  got->delivery->redelivered, got->delivery->message};
    tell(id, [request = got->request, delivery,
              remaining = got->remaining](broker::ChannelEvents& events) {
      events.on_got(request, delivery, remaining);
    });
  } else if (auto* replied = std::get_if<RepliedBy>(&message.event)) {
    if (!attachment.on_answered(replied->request, !replied->error)) return;
    if (replied->error)
      finish_request(id, *channel, replied->request,
                     base::fail(*replied->error, replied->error_text));
    else
      finish_request(id, *channel, replied->request,
                     broker::Reply{replied->messages, replied->consumers, {}});
    if (attachment.is_idle() && !context_.catalog().find_queue(message.queue))
      channel->attachments.erase(place);
  } else if (auto* cancelled = std::get_if<CancelledBy>(&message.event)) {
    attachment.on_cancelled(*cancelled);
    channel->consumers.erase(cancelled->consumer_tag);
    tell(id, [tag = cancelled->consumer_tag](broker::ChannelEvents& events) {
      events.on_consumer_cancelled(tag);
    });
  } else {
    attachment.on_not_leading(clock_.now());
  }
}

void Channels::on_change(const catalog::Change& change) {
  QueueId queue;
  if (const auto* removed = std::get_if<catalog::QueueRemoved>(&change))
    queue = removed->queue.id;
  else if (const auto* placed = std::get_if<catalog::QueuePlaced>(&change))
    queue = placed->queue;
  else if (std::holds_alternative<catalog::NodeChanged>(change))
    return refresh_all();
  else
    return;
  for (auto& [id, channel] : channels_) {
    auto attachment = channel.attachments.find(queue);
    if (attachment == channel.attachments.end()) continue;
    refresh(id, channel, attachment->second);
    if (std::holds_alternative<catalog::QueueRemoved>(change) && attachment->second.is_idle())
      channel.attachments.erase(attachment);
  }
}

void Channels::refresh_all() {
  for (auto& [id, channel] : channels_)
    for (auto& [queue, attachment] : channel.attachments) refresh(id, channel, attachment);
}

void Channels::tick() {
  base::Time now = clock_.now();
  for (auto& [id, channel] : channels_)
    for (auto& [queue, attachment] : channel.attachments) {
      if (attachment.deadline() > now) continue;
      Attachment::Effects effects;
      attachment.expire(now, effects);
      carry_out(id, channel, effects);
      refresh(id, channel, attachment);
    }
}

base::Time Channels::deadline() const {
  base::Time deadline = base::never;
  for (const auto& [id, channel] : channels_)
    for (const auto& [queue, attachment] : channel.attachments)
      deadline = std::min(deadline, attachment.deadline());
  return deadline;
}

void Channels::tell_publishes(Channel& channel) {
  std::vector<PublishSeq> confirmed, rejected;
  confirmed.swap(channel.confirmed);
  rejected.swap(channel.rejected);
  if (!channel.events) return;
  if (!confirmed.empty()) channel.events->on_confirmed(confirmed);
  if (!rejected.empty()) channel.events->on_rejected(rejected);
  if (channel.was_congested && !is_over_limit(channel)) {
    channel.was_congested = false;
    channel.events->on_uncongested();
  }
}

bool Channels::work() {
  if (tasks_.empty() && touched_.empty()) return false;
  std::set<ChannelId> touched;
  touched.swap(touched_);
  for (ChannelId id : touched) {
    if (Channel* channel = find(id)) tell_publishes(*channel);
    Channel* channel = find(id);
    if (channel && !channel->events) {
      bool is_idle = std::ranges::all_of(channel->attachments,
                                         [](const auto& entry) { return entry.second.is_idle(); });
      if (is_idle) channels_.erase(id);
    }
  }
  std::deque<std::pair<ChannelId, Task>> tasks;
  tasks.swap(tasks_);
  for (auto& [id, task] : tasks) {
    Channel* channel = find(id);
    if (channel && channel->events) task(*channel->events);
  }
  return true;
}

}  // namespace warren::cluster
