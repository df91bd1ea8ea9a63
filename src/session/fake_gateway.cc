#include "session/fake_gateway.h"

#include <doctest/doctest.h>

#include <limits>
#include <utility>

#include "broker/password.h"

namespace warren::session {

using namespace broker;

namespace {
constexpr MessageIndex every_index{std::numeric_limits<std::uint64_t>::max()};
constexpr Lease only_lease{1};
}  // namespace

FakeGateway::FakeGateway() {
  catalog::User guest;
  guest.name = "guest";
  guest.password_hash = make_password_hash("guest", "salt").value();
  for (const catalog::Command& command : catalog::Catalog::first_commands(guest))
    REQUIRE(apply(command));
  REQUIRE(apply(catalog::AddNode{node_name_, catalog::NodeKind::disc, "uuid"}));
  REQUIRE(apply(catalog::NodeUp{node_name_, catalog::Incarnation{1}}));
}

void FakeGateway::run() {
  if (is_held_) return;
  for (;;) {
    deliver();
    auto events = std::exchange(events_, {});
    auto confirmed = std::exchange(confirmed_, {});
    auto rejected = std::exchange(rejected_, {});
    if (events.empty() && confirmed.empty() && rejected.empty()) return;
    for (auto& [id, event] : events)
      if (auto found = channels_.find(id); found != channels_.end()) event(*found->second.events);
    for (auto& [id, publishes] : confirmed)
      if (auto found = channels_.find(id); found != channels_.end())
        found->second.events->on_confirmed(publishes);
    for (auto& [id, publishes] : rejected)
      if (auto found = channels_.find(id); found != channels_.end())
        found->second.events->on_rejected(publishes);
  }
}

void FakeGateway::deliver() {
  for (auto& [id, queue] : queues_) {
    std::vector<Queue::Outgoing> out;
    queue.deliver(every_index, 1000, out);
    for (const Queue::Outgoing& outgoing : out)
      // The consumer may have ended when its channel hears of it.
      tell(outgoing.channel, [queue_id = id, outgoing, tag = std::string(outgoing.consumer_tag)](
                                 ChannelEvents& events) {
        events.on_delivery(tag, {queue_id, only_lease, outgoing.index, outgoing.redelivered,
                                 outgoing.message});
      });
  }
}

void FakeGateway::congest(bool is_congested) {
  is_congested_ = is_congested;
  if (is_congested) return;
  for (auto& [id, channel] : channels_)
    tell(id, [](ChannelEvents& events) { events.on_uncongested(); });
}

base::Result<catalog::Applied> FakeGateway::apply(const catalog::Command& command) {
  std::vector<catalog::Change> changes;
  auto applied = catalog_.apply(command, changes);
  for (const catalog::Change& change : changes) {
    if (const auto* added = std::get_if<catalog::QueueAdded>(&change))
      queues_.emplace(added->queue, Queue());
    if (const auto* removed = std::get_if<catalog::QueueRemoved>(&change))
      remove_queue(removed->queue.id);
  }
  return applied;
}

void FakeGateway::remove_queue(catalog::QueueId queue) {
  queues_.erase(queue);
  for (auto& [id, channel] : channels_) {
    for (const auto& [tag, consumed] : channel.consumers)
      if (consumed == queue)
        tell(id, [tag](ChannelEvents& events) { events.on_consumer_cancelled(tag); });
    std::erase_if(channel.consumers, [&](const auto& entry) { return entry.second == queue; });
  }
}

Queue* FakeGateway::find_queue(catalog::QueueId queue) {
  auto found = queues_.find(queue);
  return found == queues_.end() ? nullptr : &found->second;
}

void FakeGateway::answer(ChannelId channel, RequestId request, base::Result<Reply> reply) {
  tell(channel, [request, reply](ChannelEvents& events) { events.on_reply(request, reply); });
}

bool FakeGateway::refuse(ChannelId channel, RequestId request) {
  if (!next_error_) return false;
  answer(channel, request, std::unexpected(*std::exchange(next_error_, std::nullopt)));
  return true;
}

ChannelId FakeGateway::open_channel(ChannelEvents& events) {
  last_channel_ = last_channel_.next();
  channels_[last_channel_].events = &events;
  return last_channel_;
}

void FakeGateway::close_channel(ChannelId channel) {
  REQUIRE(channels_.erase(channel) == 1);
  for (auto& [id, queue] : queues_) queue.drop_channel(channel);
}

void FakeGateway::publish(ChannelId channel, PublishSeq seq, const Message& message,
                          std::span<const catalog::QueueId> queues) {
  last_index_ = last_index_.next();
  for (catalog::QueueId id : queues)
    if (Queue* queue = find_queue(id); queue && !is_rejecting_)
      queue->put(last_index_, message, false);
  (is_rejecting_ ? rejected_ : confirmed_)[channel].push_back(seq);
}

void FakeGateway::subscribe(ChannelId channel, RequestId request, catalog::QueueId id,
                            const Subscription& subscription) {
  if (refuse(channel, request)) return;
  Queue* queue = find_queue(id);
  if (!queue)
    return answer(channel, request, base::fail(base::ErrorCode::not_found, "no such queue"));
  if (auto done = queue->subscribe(channel, subscription); !done)
    return answer(channel, request, std::unexpected(done.error()));
  channels_[channel].consumers[subscription.consumer_tag] = id;
  queue->limit_unacknowledged(channel, channels_[channel].limit);
  answer(channel, request, Reply{});
}

void FakeGateway::unsubscribe(ChannelId channel, RequestId request, std::string_view consumer_tag) {
  auto& consumers = channels_[channel].consumers;
  if (auto found = consumers.find(consumer_tag); found != consumers.end()) {
    if (Queue* queue = find_queue(found->second)) queue->unsubscribe(channel, consumer_tag);
    consumers.erase(found);
  }
  answer(channel, request, Reply{});
}

void FakeGateway::grant(ChannelId channel, std::string_view consumer_tag, std::uint32_t credit) {
  auto& consumers = channels_[channel].consumers;
  if (auto found = consumers.find(consumer_tag); found != consumers.end())
    if (Queue* queue = find_queue(found->second)) queue->grant(channel, consumer_tag, credit);
}

void FakeGateway::limit_unacknowledged(ChannelId channel, std::uint16_t limit) {
  channels_[channel].limit = limit;
  for (auto& [id, queue] : queues_) queue.limit_unacknowledged(channel, limit);
}

void FakeGateway::get(ChannelId channel, RequestId request, catalog::QueueId id, bool no_ack) {
  Queue* queue = find_queue(id);
  if (!queue) {
    tell(channel, [request](ChannelEvents& events) {
      events.on_got(request, base::fail(base::ErrorCode::not_found, "no such queue"), 0);
    });
    return;
  }
  std::optional<Delivery> delivery;
  if (auto got = queue->get(channel, no_ack, every_index))
    delivery = Delivery{id, only_lease, got->index, got->redelivered, got->message};
  tell(channel, [request, delivery, ready = queue->counts().ready](ChannelEvents& events) {
    events.on_got(request, delivery, ready);
  });
}

void FakeGateway::settle(ChannelId channel, catalog::QueueId id, Lease,
                         std::span<const MessageIndex> messages, Outcome outcome) {
  std::vector<MessageIndex> gone;
  if (Queue* queue = find_queue(id)) queue->settle(channel, messages, outcome, gone);
}

void FakeGateway::sync(ChannelId channel, RequestId request) {
  if (refuse(channel, request)) return;
  answer(channel, request, Reply{});
}

void FakeGateway::count(ChannelId channel, RequestId request, catalog::QueueId id) {
  if (refuse(channel, request)) return;
  Reply reply;
  if (Queue* queue = find_queue(id)) {
    reply.messages = queue->counts().ready;
    reply.consumers = queue->counts().consumers;
  }
  answer(channel, request, reply);
}

void FakeGateway::purge(ChannelId channel, RequestId request, catalog::QueueId id) {
  if (refuse(channel, request)) return;
  std::vector<MessageIndex> gone;
  if (Queue* queue = find_queue(id)) queue->purge(gone);
  Reply reply;
  reply.messages = gone.size();
  answer(channel, request, reply);
}

void FakeGateway::delete_queue(ChannelId channel, RequestId request, catalog::QueueId id,
                               bool if_unused, bool if_empty) {
  if (refuse(channel, request)) return;
  Queue* queue = find_queue(id);
  const QueueCounts counts = queue ? queue->counts() : QueueCounts{};
  if (if_unused && counts.consumers != 0)
    return answer(channel, request, base::fail(base::ErrorCode::precondition_failed, "in use"));
  if (if_empty && counts.ready != 0)
    return answer(channel, request, base::fail(base::ErrorCode::precondition_failed, "not empty"));
  Reply reply;
  reply.messages = counts.ready;
  REQUIRE(apply(catalog::DeleteQueue{id}));
  answer(channel, request, reply);
}

void FakeGateway::change(ChannelId channel, RequestId request,
                         std::span<const catalog::Command> commands) {
  ++proposals_;
  if (refuse(channel, request)) return;
  Reply reply;
  for (const catalog::Command& command : commands) {
    auto applied = apply(command);
    if (!applied && reply.changes == 0)
      return answer(channel, request, std::unexpected(applied.error()));
    if (!applied) {
      reply.refusal = applied.error();
      break;
    }
    reply.applied = *applied;
    ++reply.changes;
  }
  answer(channel, request, reply);
}

}  // namespace warren::session
