#include "cluster/channels.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace warren::cluster {
namespace {

/// Publishes of one channel that may be under way before its publisher is held back.
constexpr std::size_t max_publishes = 4'096;
constexpr std::size_t max_publish_bytes = 16u << 20;
/// The same for messages to many queues: each copy has its place in memory for that time.
constexpr std::size_t max_copies = 65'536;
/// And for all channels together, where each may have what one publish has.
constexpr std::size_t max_all_copies = 131'072;
/// What is made of that in one turn, so that others come to theirs soon; a message more for each
/// channel that was not held back yet.
constexpr std::size_t max_copies_in_turn = 65'536;
/// What a channel is expected to make, at least, when it is let go on.
constexpr std::size_t least_copies = 4'096;

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

void Channels::touch(ChannelId id, Channel& channel) {
  if (!std::exchange(channel.is_touched, true)) touched_.push_back(id);
}

void Channels::close(ChannelId id) {
  Channel* channel = find(id);
  if (!channel) return;
  channel->events = nullptr;
  for (auto& [queue, place] : channel->places) place.attachment.close();
  touch(id, *channel);
}

Channels::Place& Channels::place(ChannelId id, Channel& channel, QueueId queue) {
  auto [found, is_new] = channel.places.try_emplace(queue, Attachment(context_, id, queue));
  Place& place = found->second;
  if (is_new) {
    attached_.emplace(queue, id);
    if (channel.limit != 0) place.attachment.limit(channel.limit);
    refresh(id, channel, queue, place);
  }
  return place;
}

void Channels::erase(ChannelId id, Channel& channel, QueueId queue) {
  channel.places.erase(queue);
  attached_.erase({queue, id});
}

void Channels::note_unsent(ChannelId id, QueueId queue, Place& place) {
  if (!std::exchange(place.is_unsent, true)) unsent_.emplace_back(id, queue);
}

void Channels::schedule(ChannelId id, QueueId queue, Place& place) {
  base::Time deadline = place.attachment.deadline();
  if (deadline >= place.scheduled) return;
  schedule_.erase({place.scheduled, id, queue});
  schedule_.emplace(deadline, id, queue);
  place.scheduled = deadline;
}

void Channels::refresh(ChannelId id, Channel& channel, QueueId queue, Place& place) {
  Attachment::Effects effects;
  place.attachment.refresh(lease_, clock_.now(), effects);
  schedule(id, queue, place);
  carry_out(id, channel, effects);
}

void Channels::publish(ChannelId id, PublishSeq seq, const broker::Message& message,
                       std::span<const QueueId> queues) {
  Channel* channel = find(id);
  if (!channel) return;
  if (queues.empty()) {
    channel->confirmed.push_back(seq);
    return touch(id, *channel);
  }
  channel->publishes.add(seq, queues.size(), message.encoded().size());
  copies_ += queues.size();
  if (queues.size() > 1) copies_in_turn_ += channel->copies_of_last = queues.size();
  for (QueueId queue : queues) {
    Place& to = place(id, *channel, queue);
    to.attachment.publish(seq, message);
    if (to.attachment.is_attached())
      note_unsent(id, queue, to);
    else
      refresh(id, *channel, queue, to);
  }
}

void Channels::finish_publish(Channel& channel, PublishSeq seq, bool rejected) {
  std::size_t before = channel.publishes.copies();
  auto verdict = channel.publishes.finish(seq, rejected);
  copies_ -= before - channel.publishes.copies();
  if (verdict) (*verdict ? channel.rejected : channel.confirmed).push_back(seq);
}

bool Channels::is_over_limit(const Channel& channel) const {
  const OpenPublishes& open = channel.publishes;
  return open.size() > max_publishes || open.bytes() > max_publish_bytes ||
         open.copies() > max_copies || (copies_ > max_all_copies && open.size() > 0);
}

bool Channels::is_congested(ChannelId id) {
  auto channel = channels_.find(id);
  if (channel == channels_.end()) return false;
  bool is_congested = is_over_limit(channel->second) || copies_in_turn_ > max_copies_in_turn;
  channel->second.was_congested |= is_congested;
  return is_congested;
}

void Channels::ask(ChannelId id, RequestId request, QueueId queue, QueueRequest what) {
  Channel* channel = find(id);
  if (!channel) return;
  Place& to = place(id, *channel, queue);
  to.attachment.ask(request, std::move(what), clock_.now() + request_deadline_);
  refresh(id, *channel, queue, to);
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
    place(id, *channel, consumer->second).attachment.grant(std::string(consumer_tag), credit);
}

void Channels::limit_unacknowledged(ChannelId id, std::uint16_t limit) {
  Channel* channel = find(id);
  if (!channel) return;
  channel->limit = limit;
  for (auto& [queue, place] : channel->places) place.attachment.limit(limit);
}

void Channels::settle(ChannelId id, QueueId queue, Lease lease,
                      std::span<const MessageIndex> messages, broker::Outcome outcome) {
  Channel* channel = find(id);
  if (!channel) return;
  auto place = channel->places.find(queue);
  if (place == channel->places.end()) return;
  place->second.attachment.settle(lease, messages, outcome);
  note_unsent(id, queue, place->second);
  place->second.has_settled = true;
}

void Channels::sync(ChannelId id, RequestId request) {
  Channel* channel = find(id);
  if (!channel) return;
  std::vector<QueueId> queues;
  for (auto& [queue, place] : channel->places)
    if (std::exchange(place.has_settled, false) && context_.catalog().find_queue(queue))
      queues.push_back(queue);
  if (queues.empty()) return answer(id, request, broker::Reply{});
  channel->syncs.push_back({request, queues.size(), {}});
  for (QueueId queue : queues) ask(id, request, queue, SyncTo{request});
}

void Channels::answer(ChannelId id, RequestId request, base::Result<broker::Reply> reply) {
  tell(id, [request, reply = std::move(reply)](broker::ChannelEvents& events) {
    events.on_reply(request, reply);
  });
}

void Channels::finish_request(ChannelId id, Channel& channel, RequestId request,
                              base::Result<broker::Reply> reply) {
  auto sync = std::ranges::find(channel.syncs, request, &Sync::request);
  if (sync != channel.syncs.end()) {
    if (!reply) sync->error = reply.error();
    if (--sync->waiting > 0) return;
    if (sync->error) reply = std::unexpected(*sync->error);
    channel.syncs.erase(sync);
  }
  answer(id, request, std::move(reply));
}

void Channels::tell(ChannelId id, Task task) { tasks_.emplace_back(id, std::move(task)); }

void Channels::carry_out(ChannelId id, Channel& channel, const Attachment::Effects& effects) {
  for (PublishSeq seq : effects.confirmed) finish_publish(channel, seq, false);
  for (PublishSeq seq : effects.rejected) finish_publish(channel, seq, true);
  if (!effects.confirmed.empty() || !effects.rejected.empty()) touch(id, channel);
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
  auto found = channel->places.find(message.queue);
  if (found == channel->places.end()) return;
  Attachment& attachment = found->second.attachment;
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
  } else if (auto* rejected = std::get_if<RejectedBy>(&message.event)) {
    Attachment::Effects effects;
    attachment.on_rejected(*rejected, effects);
    carry_out(id, *channel, effects);
  } else if (auto* delivered = std::get_if<DeliveredBy>(&message.event)) {
    on_delivered(id, attachment, message, *delivered);
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
    on_replied(id, *channel, message.queue, *replied);
  } else if (auto* cancelled = std::get_if<CancelledBy>(&message.event)) {
    attachment.on_cancelled(*cancelled);
    channel->consumers.erase(cancelled->consumer_tag);
    tell(id, [tag = cancelled->consumer_tag](broker::ChannelEvents& events) {
      events.on_consumer_cancelled(tag);
    });
  } else {
    attachment.on_not_leading(clock_.now());
    schedule(id, message.queue, found->second);
  }
}

void Channels::on_delivered(ChannelId id, Attachment& attachment, const ToChannel& message,
                            DeliveredBy& delivered) {
  // A member of another make could send what was never written here.
  std::erase_if(delivered.messages, [&](const DeliveredMessage& each) {
    return each.consumer >= delivered.consumer_tags.size();
  });
  attachment.on_delivered(delivered);
  tell(id, [queue = message.queue, lease = message.lease,
            delivered = std::move(delivered)](broker::ChannelEvents& events) mutable {
    for (DeliveredMessage& each : delivered.messages)
      events.on_delivery(
          delivered.consumer_tags[each.consumer],
          broker::Delivery{queue, lease, each.index, each.redelivered, std::move(each.message)});
  });
}

void Channels::on_replied(ChannelId id, Channel& channel, QueueId queue,
                          const RepliedBy& replied) {
  Attachment& attachment = channel.places.at(queue).attachment;
  if (!attachment.on_answered(replied.request, !replied.error)) return;
  if (replied.error)
    finish_request(id, channel, replied.request, base::fail(*replied.error, replied.error_text));
  else
    finish_request(id, channel, replied.request,
                   broker::Reply{replied.messages, replied.consumers, {}});
  if (attachment.is_idle() && !context_.catalog().find_queue(queue)) erase(id, channel, queue);
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
  bool is_removed = std::holds_alternative<catalog::QueueRemoved>(change);
  auto next = attached_.lower_bound({queue, ChannelId{}});
  while (next != attached_.end() && next->first == queue) {
    ChannelId id = (next++)->second;
    Channel& channel = *find(id);
    Place& place = channel.places.at(queue);
    refresh(id, channel, queue, place);
    if (is_removed && place.attachment.is_idle()) erase(id, channel, queue);
  }
}

void Channels::refresh_all() {
  for (auto& [id, channel] : channels_)
    for (auto& [queue, place] : channel.places) refresh(id, channel, queue, place);
}

void Channels::tick() {
  base::Time now = clock_.now();
  while (!schedule_.empty() && std::get<base::Time>(*schedule_.begin()) <= now) {
    auto [time, id, queue] = *schedule_.begin();
    schedule_.erase(schedule_.begin());
    Channel* channel = find(id);
    if (!channel) continue;
    auto found = channel->places.find(queue);
    if (found == channel->places.end()) continue;
    found->second.scheduled = base::never;
    Attachment::Effects effects;
    found->second.attachment.expire(now, effects);
    carry_out(id, *channel, effects);
    refresh(id, *channel, queue, found->second);
  }
}

base::Time Channels::deadline() const {
  if (!waiting_.empty()) return clock_.now();
  return schedule_.empty() ? base::never : std::get<base::Time>(*schedule_.begin());
}

bool Channels::flush() {
  if (unsent_.empty()) return false;
  for (const auto& [id, queue] : std::exchange(unsent_, {})) {
    Channel* channel = find(id);
    if (!channel) continue;
    auto found = channel->places.find(queue);
    if (found == channel->places.end()) continue;
    found->second.is_unsent = false;
    found->second.attachment.flush();
  }
  return true;
}

void Channels::tell_publishes(ChannelId id, Channel& channel) {
  std::vector<PublishSeq> confirmed, rejected;
  confirmed.swap(channel.confirmed);
  rejected.swap(channel.rejected);
  if (!channel.events) return;
  if (!confirmed.empty()) channel.events->on_confirmed(confirmed);
  // Whoever hears of that may close the channel.
  if (channel.events && !rejected.empty()) channel.events->on_rejected(rejected);
  if (!channel.events || !channel.was_congested || is_over_limit(channel)) return;
  if (waiting_.empty() && copies_in_turn_ <= max_copies_in_turn) return release(channel);
  if (!std::exchange(channel.is_waiting, true)) waiting_.push_back(id);
}

void Channels::release(Channel& channel) {
  channel.was_congested = false;
  channel.events->on_uncongested();
}

void Channels::begin_turn() {
  // One at least, whatever the others did.
  for (bool is_first = true; !waiting_.empty(); is_first = false) {
    if (!is_first && copies_in_turn_ > max_copies_in_turn) break;
    Channel* channel = find(waiting_.front());
    waiting_.pop_front();
    if (!channel) continue;
    channel->is_waiting = false;
    if (!channel->events || !channel->was_congested) continue;
    const std::size_t before = copies_in_turn_;
    release(*channel);
    // What it does not have yet it will soon have read.
    if (copies_in_turn_ == before)
      copies_in_turn_ += std::max(channel->copies_of_last, least_copies);
  }
}

bool Channels::work() {
  if (tasks_.empty() && touched_.empty()) return false;
  for (ChannelId id : std::exchange(touched_, {})) {
    if (Channel* channel = find(id)) {
      channel->is_touched = false;
      tell_publishes(id, *channel);
    }
    Channel* channel = find(id);
    if (!channel || channel->events) continue;
    bool is_idle = std::ranges::all_of(
        channel->places, [](const auto& entry) { return entry.second.attachment.is_idle(); });
    if (!is_idle) continue;
    for (const auto& [queue, place] : channel->places) attached_.erase({queue, id});
    copies_ -= channel->publishes.copies();
    channels_.erase(id);
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
