#include "broker/queue.h"

#include <algorithm>
#include <map>
#include <utility>

#include "broker/message_run.h"
#include "broker/queue_consumers.h"

namespace warren::broker {

struct Queue::State {
  ReadyMessages ready;
  DyingMessages dying;
  QueueConsumers consumers;
  /// Every message up to this one counts as delivered before.
  MessageIndex redelivered_until;
  std::uint64_t unacknowledged = 0;
  std::uint64_t unacknowledged_bytes = 0;
  std::uint64_t held_resident_bytes = 0;
  bool keeps_dead = false;
  std::unique_ptr<MessageAges> ages;  ///< once a message may expire
  std::optional<std::uint64_t> delivery_limit;
  /// How often messages were given back; empty without a limit.
  std::map<MessageIndex, std::uint64_t> returns;
  /// What `deliver` or `get` met last that was not in memory. It may be gone by now.
  MessageIndex starved_by;

  bool is_redelivered(const MessageRun::Entry& entry) const {
    return entry.redelivered || entry.index <= redelivered_until;
  }

  void hold(QueueChannel& channel, MessageRun::Entry entry) {
    ++unacknowledged;
    unacknowledged_bytes += entry.body_bytes;
    ready.note(entry);
    // It has been sent, and can be read again in case that it comes back.
    if (entry.stored) entry.message = Message();
    held_resident_bytes += entry.message.encoded().size();
    channel.held.insert(std::move(entry));
  }

  /// Counts out an entry that was taken from what the channel holds.
  void release(QueueChannel& channel, const MessageRun::Entry& entry) {
    --unacknowledged;
    unacknowledged_bytes -= entry.body_bytes;
    held_resident_bytes -= entry.message.encoded().size();
    consumers.on_released(channel, entry.consumer);
  }

  /// For every message that leaves other than by being taken or purged. It is in no run any more.
  void end(MessageRun::Entry entry, DeathReason reason, std::vector<MessageIndex>& gone) {
    // It may come to life again.
    entry.redelivered |= reason == DeathReason::rejected || reason == DeathReason::delivery_limit;
    if (!returns.empty()) returns.erase(entry.index);
    if (keeps_dead) {
      ready.note(entry);
      dying.add(std::move(entry), reason);
    } else {
      ready.forget(entry.index);
      gone.push_back(entry.index);
    }
  }

  /// Zero when there is no message at all.
  MessageIndex lowest() const {
    MessageIndex lowest = ready.lowest();
    auto consider = [&](const MessageRun& run) {
      if (!run.empty() && (!lowest || run.first()->index < lowest)) lowest = run.first()->index;
    };
    consider(dying.run());
    for (const auto& [id, channel] : consumers.channels()) consider(channel.held);
    return lowest;
  }

  bool is_over(const MessageRun::Entry& entry) { return ages && ages->is_over(entry); }

  void note_offered(MessageIndex limit) {
    if (ages) ages->offered = std::max(ages->offered, limit);
  }

  /// It left the queue otherwise.
  void forget(MessageIndex index) {
    ready.forget(index);
    if (!returns.empty()) returns.erase(index);
  }

  /// Of the messages that are not ready.
  template <typename Update>
  void update_others(Update update) {
    update(dying.run());
    for (auto& [id, channel] : consumers.channels()) {
      held_resident_bytes -= channel.held.resident_bytes();
      update(channel.held);
      held_resident_bytes += channel.held.resident_bytes();
    }
  }

  void requeue(MessageRun::Entry entry) {
    entry.consumer = 0;
    ready.insert(std::move(entry));
  }

  /// Of a message that its channel had the time to look at.
  void give_back(MessageRun::Entry entry, std::vector<MessageIndex>& gone) {
    entry.redelivered = true;
    if (delivery_limit && ++returns[entry.index] > *delivery_limit)
      end(std::move(entry), DeathReason::delivery_limit, gone);
    else
      requeue(std::move(entry));
  }
};

Queue::Queue() : state_(std::make_unique<State>()) {}
Queue::~Queue() = default;
Queue::Queue(Queue&&) noexcept = default;
Queue& Queue::operator=(Queue&&) noexcept = default;

void Queue::put(MessageIndex index, Message message, bool redelivered) {
  state_->ready.insert({.index = index, .message = std::move(message), .redelivered = redelivered});
}

void Queue::put_stored(MessageIndex index, std::uint32_t body_bytes, std::uint8_t priority) {
  state_->ready.insert_stored(
      {.index = index, .message = {}, .body_bytes = body_bytes, .stored = true}, priority);
}

void Queue::reserve(std::size_t messages) {
  state_->ready.reserve(messages);
}

void Queue::set_max_priority(std::uint8_t most) {
  state_->ready.set_max_priority(most);
}

std::uint8_t Queue::max_priority() const {
  return state_->ready.max_priority();
}

void Queue::set_single_active_consumer(bool is_single) {
  state_->consumers.set_single_active(is_single);
}

void Queue::page_out(MessageIndex first, MessageIndex last) {
  state_->ready.page_out(first, last);
  state_->update_others([&](MessageRun& held) { held.page_out(first, last); });
}

void Queue::mark_stored(MessageIndex first, MessageIndex last) {
  state_->ready.mark_stored(first, last);
  state_->update_others([&](MessageRun& held) { held.mark_stored(first, last); });
}

void Queue::evict(MessageIndex first, MessageIndex last) {
  state_->ready.evict(first, last);
  state_->update_others([&](MessageRun& held) { held.evict(first, last); });
}

void Queue::page_in(std::span<const StoredBody> bodies) {
  state_->ready.page_in(bodies);
  state_->update_others([&](MessageRun& held) { held.page_in(bodies); });
}

MessageIndex Queue::missing() const {
  if (!state_->starved_by) return {};
  const MessageRun::Entry* entry = state_->ready.find(state_->starved_by);
  if (!entry || entry->message) state_->starved_by = {};
  return state_->starved_by;
}

MessageIndex Queue::first_ready() const {
  const MessageRun::Entry* first = state_->ready.first();
  return first ? first->index : MessageIndex{};
}

MessageIndex Queue::lowest_ready() const {
  return state_->ready.lowest();
}

std::uint64_t Queue::resident_bytes() const {
  return state_->ready.resident_bytes() + state_->held_resident_bytes +
         state_->dying.run().resident_bytes();
}

base::Result<> Queue::subscribe(ChannelId channel, const Subscription& subscription) {
  return state_->consumers.subscribe(channel, subscription);
}

bool Queue::unsubscribe(ChannelId channel, std::string_view consumer_tag) {
  return state_->consumers.unsubscribe(channel, consumer_tag);
}

void Queue::grant(ChannelId channel, std::string_view consumer_tag, std::uint32_t credit) {
  state_->consumers.grant(channel, consumer_tag, credit);
}

void Queue::limit_unacknowledged(ChannelId channel, std::uint16_t limit) {
  state_->consumers.limit(channel, limit);
}

void Queue::deliver(MessageIndex limit, std::size_t most, std::vector<Outgoing>& out) {
  for (; most > 0; --most) {
    const MessageRun::Entry* first = state_->ready.first(limit);
    QueueConsumer* consumer = first ? state_->consumers.next() : nullptr;
    if (!consumer) return state_->note_offered(limit);
    if (!first->message) {
      state_->starved_by = first->index;
      return;
    }
    if (state_->is_over(*first)) return;
    MessageRun::Entry entry = state_->ready.take_first(limit);
    bool no_ack = consumer->subscription.takes_for_good();
    Outgoing& outgoing = out.emplace_back();
    outgoing.channel = consumer->channel->id;
    outgoing.consumer_tag = consumer->subscription.consumer_tag;
    outgoing.index = entry.index;
    outgoing.redelivered = state_->is_redelivered(entry);
    outgoing.no_ack = no_ack;
    if (no_ack) {
      state_->forget(entry.index);
      outgoing.message = std::move(entry.message);
    } else {
      outgoing.message = entry.message;
      entry.consumer = consumer->number;
      state_->hold(*consumer->channel, std::move(entry));
    }
    state_->consumers.on_delivered(*consumer);
  }
}

std::optional<Queue::Got> Queue::get(ChannelId channel, bool no_ack, MessageIndex limit) {
  const MessageRun::Entry* first = state_->ready.first(limit);
  if (!first || state_->is_over(*first)) return std::nullopt;
  if (!first->message) {
    state_->starved_by = first->index;
    return std::nullopt;
  }
  MessageRun::Entry entry = state_->ready.take_first(limit);
  Got got{entry.index, state_->is_redelivered(entry), entry.message};
  if (no_ack)
    state_->forget(entry.index);
  else
    state_->hold(state_->consumers.make_channel(channel), std::move(entry));
  return got;
}

void Queue::settle(ChannelId id, std::span<const MessageIndex> messages, Outcome outcome,
                   std::vector<MessageIndex>& gone) {
  QueueChannel* channel = state_->consumers.find_channel(id);
  if (!channel) return;
  bool comes_back = outcome == Outcome::requeued || outcome == Outcome::returned;
  auto settle_one = [&](MessageIndex index) {
    auto entry = channel->held.take(index);
    if (!entry) return;
    state_->release(*channel, *entry);
    if (outcome == Outcome::requeued) {
      state_->give_back(std::move(*entry), gone);
    } else if (outcome == Outcome::returned) {
      state_->requeue(std::move(*entry));
    } else if (outcome == Outcome::rejected) {
      state_->end(std::move(*entry), DeathReason::rejected, gone);
    } else {
      state_->forget(index);
      gone.push_back(index);
    }
  };
  // Backwards when they go back: each is then likely to come before all that are ready.
  if (comes_back)
    std::for_each(messages.rbegin(), messages.rend(), settle_one);
  else
    std::for_each(messages.begin(), messages.end(), settle_one);
  state_->consumers.drop_if_idle(*channel);
}

std::vector<MessageIndex> Queue::drop_channel(ChannelId id) {
  std::vector<MessageIndex> gone;
  QueueChannel* channel = state_->consumers.find_channel(id);
  if (!channel) return gone;
  state_->consumers.unsubscribe_all(*channel);
  channel->limit = 0;
  while (!channel->held.empty()) {
    MessageRun::Entry entry = channel->held.take_last();
    state_->release(*channel, entry);
    state_->give_back(std::move(entry), gone);
  }
  state_->consumers.drop_if_idle(*channel);
  return gone;
}

void Queue::purge(std::vector<MessageIndex>& gone) {
  gone.reserve(gone.size() + state_->ready.size());
  state_->ready.for_each_run([&](const MessageRun& run) {
    MessageRun::Cursor cursor(run, MessageIndex{});
    for (; cursor.current(); cursor.advance()) {
      gone.push_back(cursor.current()->index);
      if (!state_->returns.empty()) state_->returns.erase(gone.back());
    }
  });
  state_->ready.clear();
}

void Queue::set_delivery_limit(std::optional<std::uint64_t> limit) {
  state_->delivery_limit = limit;
  if (!limit) state_->returns.clear();
}

void Queue::set_keeps_dead(bool keeps_dead) {
  state_->keeps_dead = keeps_dead;
}

void Queue::end(MessageIndex message, DeathReason reason, std::vector<MessageIndex>& gone) {
  if (auto entry = state_->ready.take(message)) state_->end(std::move(*entry), reason, gone);
}

void Queue::drop_excess(std::uint64_t length, std::uint64_t bytes, MessageIndex limit,
                        std::vector<MessageIndex>& gone) {
  auto is_over = [&] {
    return state_->ready.size() > length || state_->ready.body_bytes() > bytes;
  };
  while (is_over() && state_->ready.first(limit))
    state_->end(state_->ready.take_first(limit), DeathReason::maxlen, gone);
}

void Queue::add_time(const TimeMark& mark) {
  if (!state_->ages) state_->ages = std::make_unique<MessageAges>();
  QueueTimes& times = state_->ages->times;
  times.add(mark, times.is_full() ? state_->lowest() : MessageIndex{});
}

void Queue::set_times(std::vector<TimeMark> marks) {
  state_->ages.reset();
  if (marks.empty()) return;
  state_->ages = std::make_unique<MessageAges>();
  state_->ages->times.assign(std::move(marks));
}

bool Queue::has_times() const {
  return state_->ages != nullptr;
}

std::vector<TimeMark> Queue::times() const {
  return state_->ages ? state_->ages->times.marks() : std::vector<TimeMark>();
}

std::optional<TimeMark> Queue::find_needed_time(WallMs now, std::optional<std::uint64_t> ttl_ms,
                                                bool has_expiration) const {
  if (state_->ages) return state_->ages->times.find_needed(now, ttl_ms, has_expiration);
  return QueueTimes().find_needed(now, ttl_ms, has_expiration);
}

bool Queue::expire(WallMs now, MessageIndex limit, std::vector<MessageIndex>& gone) {
  if (!state_->ages) return false;
  state_->ages->now = now;
  bool has_ended = false;
  state_->ready.take_firsts_while(
      [&](const MessageRun::Entry& entry) {
        return entry.index <= limit && state_->ages->is_over(entry);
      },
      [&](MessageRun::Entry entry) {
        state_->end(std::move(entry), DeathReason::expired, gone);
        has_ended = true;
      });
  if (!state_->lowest()) state_->ages.reset();
  return has_ended;
}

WallMs Queue::next_expiry(MessageIndex limit) const {
  WallMs next = never_ms;
  if (!state_->ages) return next;
  state_->ready.for_each_run([&](const MessageRun& run) {
    const MessageRun::Entry& first = *run.first();
    if (first.index > limit) return;
    auto deadline = state_->ages->deadline(first);
    if (!deadline) state_->starved_by = first.index;
    next = std::min(next, deadline.value_or(never_ms));
  });
  return next;
}

std::optional<DyingMessage> Queue::next_dying() {
  return state_->dying.next();
}

std::vector<MessageIndex> Queue::missing_dying(std::size_t most) const {
  return state_->dying.missing(most);
}

void Queue::pass_dying() {
  state_->dying.pass();
}

void Queue::die_again(MessageIndex index, DeathReason reason) {
  state_->dying.add_again(index, reason);
}

void Queue::drop_dying(std::vector<MessageIndex>& gone) {
  MessageRun::Cursor cursor(state_->dying.run(), MessageIndex{});
  for (; cursor.current(); cursor.advance()) {
    gone.push_back(cursor.current()->index);
    state_->forget(gone.back());
  }
  state_->dying.clear();
}

void Queue::revive_dying() {
  MessageRun& run = state_->dying.run();
  // Backwards: each is then likely to come before all that are ready.
  while (!run.empty()) state_->ready.insert(run.take_last());
  state_->dying.clear();
}

QueueCounts Queue::counts() const {
  return {.ready = state_->ready.size(),
          .unacknowledged = state_->unacknowledged,
          .consumers = state_->consumers.count(),
          .ready_bytes = state_->ready.body_bytes(),
          .unacknowledged_bytes = state_->unacknowledged_bytes,
          .dying = state_->dying.run().size()};
}

bool Queue::had_consumers() const {
  return state_->consumers.had_consumers();
}

std::vector<ConsumerInfo> Queue::consumers() const {
  std::vector<ConsumerInfo> infos;
  infos.reserve(state_->consumers.count());
  for (const auto& [id, channel] : state_->consumers.channels()) {
    for (const auto& [tag, consumer] : channel.consumers) {
      const Subscription& subscription = consumer.subscription;
      const bool is_active = state_->consumers.is_active(consumer);
      infos.push_back({.channel = id,
                       .consumer_tag = tag,
                       .no_ack = subscription.no_ack,
                       .exclusive = subscription.exclusive,
                       .prefetch = subscription.prefetch,
                       .priority = subscription.priority,
                       .unacknowledged = consumer.unacknowledged,
                       .is_active = is_active,
                       .is_single_active = is_active && state_->consumers.is_single_active(),
                       .arguments = subscription.arguments});
    }
  }
  return infos;
}

std::vector<ChannelId> Queue::channels() const {
  std::vector<ChannelId> ids;
  for (const auto& [id, channel] : state_->consumers.channels())
    if (!channel.consumers.empty() || !channel.held.empty()) ids.push_back(id);
  return ids;
}

void Queue::remove(std::span<const MessageIndex> messages) {
  auto remove_held = [&](MessageIndex index) {
    for (auto& [id, channel] : state_->consumers.channels()) {
      auto entry = channel.held.take(index);
      if (!entry) continue;
      state_->release(channel, *entry);
      state_->consumers.drop_if_idle(channel);
      return;
    }
  };
  for (MessageIndex index : messages) {
    if (!state_->ready.take(index) && !state_->dying.run().take(index) &&
        state_->unacknowledged > 0)
      remove_held(index);
    state_->forget(index);
  }
}

void Queue::mark_redelivered(MessageIndex limit) {
  state_->redelivered_until = std::max(state_->redelivered_until, limit);
}

bool Queue::is_empty() const {
  const QueueCounts now = counts();
  return now.ready + now.unacknowledged + now.dying == 0;
}

void Queue::for_each_message(MessageIndex from,
                             const std::function<bool(MessageIndex, const Message&)>& visit) const {
  // A merge of ordered runs: the heap's top is the run whose next message is the lowest.
  std::vector<MessageRun::Cursor> heap;
  auto is_later = [](const MessageRun::Cursor& a, const MessageRun::Cursor& b) {
    return a.current()->index > b.current()->index;
  };
  auto add = [&](const MessageRun& run) {
    MessageRun::Cursor cursor(run, from);
    if (!cursor.current()) return;
    heap.push_back(cursor);
    std::ranges::push_heap(heap, is_later);
  };
  state_->ready.for_each_run(add);
  add(state_->dying.run());
  for (const auto& [id, channel] : state_->consumers.channels()) add(channel.held);
  while (heap.size() == 1) {
    MessageRun::Cursor& only = heap.front();
    if (!only.current() || !visit(only.current()->index, only.current()->message)) return;
    only.advance();
  }
  while (!heap.empty()) {
    std::ranges::pop_heap(heap, is_later);
    MessageRun::Cursor& next = heap.back();
    if (!visit(next.current()->index, next.current()->message)) return;
    next.advance();
    if (next.current())
      std::ranges::push_heap(heap, is_later);
    else
      heap.pop_back();
  }
}

}  // namespace warren::broker
