#include "sim/ledger.h"

#include "base/bytes.h"

namespace warren::sim {

base::Bytes Ledger::publish(ChannelId channel, PublishSeq seq, bool is_persistent,
                            const std::vector<QueueId>& queues, std::size_t padding) {
  std::uint64_t number = ++last_number_;
  numbers_[{channel, seq}] = {queues, false, number};
  world_.trace("published: message {}, {} of channel {:x}, to queue {}{}", number, seq.value,
               channel.value, queues.front().value,
               queues.size() > 1 ? fmt::format(" and {}", queues[1].value) : "");
  for (QueueId queue : queues) {
    Message message;
    message.is_persistent = is_persistent;
    queues_[queue].messages.emplace(number, message);
  }
  base::Bytes body;
  base::ByteWriter writer(body);
  writer.u64(number);
  writer.u64(channel.value);
  writer.u64(seq.value);
  body.append(padding, static_cast<char>('a' + number % 26));
  return body;
}

void Ledger::confirmed(ChannelId channel, PublishSeq seq) {
  auto publish = numbers_.find({channel, seq});
  if (publish == numbers_.end())
    return world_.fail(fmt::format("confirm of a publish that was not made: {}", seq.value));
  if (publish->second.is_confirmed)
    return world_.fail(fmt::format("publish {} confirmed twice", seq.value));
  publish->second.is_confirmed = true;
  ++confirmed_;
  for (QueueId queue : publish->second.queues)
    queues_[queue].messages[publish->second.number].is_confirmed = true;
  world_.trace("confirmed: message {}", publish->second.number);
}

Ledger::Message* Ledger::find(QueueId queue, std::uint64_t number) {
  auto found = queues_.find(queue);
  if (found == queues_.end()) return nullptr;
  auto message = found->second.messages.find(number);
  return message == found->second.messages.end() ? nullptr : &message->second;
}

std::uint64_t Ledger::delivered(ChannelId consumer, const broker::Delivery& delivery) {
  base::ByteView body = delivery.message.body();
  base::ByteReader reader(body);
  std::uint64_t number = reader.u64();
  ChannelId producer{reader.u64()};
  PublishSeq seq{reader.u64()};
  world_.trace("delivered: message {} of queue {} at {}{}", number, delivery.queue.value,
               delivery.index.value, delivery.redelivered ? ", again" : "");
  auto wrong = [&](std::string_view what) {
    world_.fail(fmt::format("message {} of queue {}: {}", number, delivery.queue.value, what));
    return std::uint64_t{0};
  };
  Message* message = find(delivery.queue, number);
  if (!message) return wrong("was never published there");
  for (char c : reader.rest())
    if (c != static_cast<char>('a' + number % 26)) return wrong("has another body");
  if (message->is_persistent != delivery.message.is_persistent())
    return wrong("has other properties");
  if (message->is_settled_durably && !message->is_dead_letter && !world_.is_disturbed())
    return wrong("was settled durably and has come back");
  ++delivered_;
  if (delivery.redelivered || message->is_dead_letter) return number;

  // A leader with the only copy delivers before it has synced. What it forgets then is published
  // again by the channels and comes as new, in the old order.
  bool is_forgotten =
      message->is_delivered && queues_[delivery.queue].single_in > message->delivered_in;
  if (message->is_delivered && !is_forgotten && !world_.is_disturbed())
    return wrong("was delivered before and says that it was not");
  message->is_delivered = true;
  message->delivered_in = generation_;
  bool has_priorities = queues_[delivery.queue].has_priorities;
  std::uint8_t priority = has_priorities ? delivery.message.priority() : std::uint8_t{0};
  PublishSeq& last = order_[{consumer, delivery.queue, producer, priority}];
  if (seq <= last && !is_forgotten) return wrong("came after a later one of its channel");
  last = seq;
  return number;
}

void Ledger::note_leader(const catalog::Queue& record) {
  Queue& queue = queues_[record.id];
  queue.has_priorities = record.arguments.find("x-max-priority") != nullptr;
  auto [place, is_new] = queue.leaders.emplace(record.epoch, record.leader);
  if (place->second != record.leader)
    world_.fail(fmt::format("epoch {} of queue {} has two leaders: {} and {}", record.epoch.value,
                            record.id.value, place->second, record.leader));
  if (!is_new) return;
  // Replicas that are not in sync are nothing yet. Who was the leader before and is alone in sync
  // has not taken over from another copy.
  const bool leads_again =
      place != queue.leaders.begin() && std::prev(place)->second == record.leader;
  const bool is_alone =
      record.replicas.size() == 1 || (leads_again && record.in_sync.size() == 1);
  if (is_alone) queue.single_in = ++generation_;
}

void Ledger::settled(QueueId queue, std::uint64_t number) {
  world_.trace("settled: message {} of queue {}", number, queue.value);
  if (Message* message = find(queue, number)) message->is_settled = true;
}

void Ledger::rejected(QueueId queue, std::uint64_t number, QueueId dead_letters) {
  world_.trace("rejected: message {} of queue {}", number, queue.value);
  Message* message = find(queue, number);
  if (!message) return;
  message->is_rejected = true;
  Message letter;
  letter.is_persistent = message->is_persistent;
  queues_[queue].dead_letters = dead_letters;
  auto& letters = queues_[dead_letters].messages;
  letters.emplace(number, letter).first->second.is_dead_letter = true;
}

void Ledger::settled_durably(QueueId queue, std::uint64_t number) {
  world_.trace("settled durably: message {} of queue {}", number, queue.value);
  Message* message = find(queue, number);
  if (!message) return;
  // A crash of the queue's only node forgets a transient message with all that became of it, and
  // one that was not confirmed is then published once more.
  message->is_settled_durably |= message->is_persistent || message->is_confirmed;
}

void Ledger::excuse_messages(QueueId queue) {
  for (auto& [number, message] : queues_[queue].messages) message.is_excused = true;
}

void Ledger::check_nothing_lost() {
  for (const auto& [id, queue] : queues_) {
    if (!queue.is_durable || queue.is_excused) continue;
    std::string lost;
    std::size_t count = 0;
    for (const auto& [number, message] : queue.messages) {
      if (!message.is_confirmed || !message.is_persistent || message.is_settled ||
          message.is_excused)
        continue;
      if (message.is_rejected && queues_[queue.dead_letters].messages.at(number).is_settled)
        continue;
      if (++count <= 20) lost += fmt::format(" {}", number);
    }
    if (count > 0)
      world_.fail(fmt::format("queue {} has lost {} confirmed messages:{}", id.value, count, lost));
  }
}

}  // namespace warren::sim
