#include "sim/delayer.h"

#include "catalog/delaying.h"
#include "codec/amqp091_properties.h"

namespace warren::sim {
namespace {

using codec::amqp091::Properties;
using std::chrono::milliseconds;

constexpr std::size_t most_unconfirmed = 20;

broker::Message make_message(std::uint64_t number, milliseconds delay, std::size_t padding) {
  Properties properties;
  properties.headers = {{"x-delay", base::FieldValue(static_cast<std::int32_t>(delay.count()))}};
  properties.delivery_mode = codec::amqp091::persistent_delivery_mode;
  base::Bytes encoded;
  codec::amqp091::encode_properties(encoded, properties);
  const std::string body = std::to_string(number) + std::string(padding, ' ');
  return broker::Message::make({.exchange = Delayer::exchange,
                                .routing_key = "k",
                                .properties = encoded,
                                .body = body,
                                .persistent = true});
}

bool is_marked(const broker::Message& message) {
  auto properties = codec::amqp091::decode_properties(message.properties());
  if (!properties || !properties->headers || !message.is_persistent()) return false;
  const base::FieldValue* delay = properties->headers->find("x-delay");
  return delay && delay->to_integer() < 0;
}

}  // namespace

std::string Delayer::describe() const {
  return fmt::format("{}: {} unconfirmed; {} were confirmed and have not come, first {}", name(),
                     unconfirmed_.size(), missing_.size(),
                     missing_.empty() ? 0 : *missing_.begin());
}

void Delayer::on_connected() {
  last_seq_ = PublishSeq{};
  is_consuming_ = false;
  prepare();
  later(milliseconds(50), [this] { publish_next(); });
}

/// What was not confirmed may come or not.
void Delayer::on_disconnected() { unconfirmed_.clear(); }

void Delayer::prepare() {
  call([this](cluster::Node& node) {
    declare_missing(node);
    const QueueId target = find_queue(node, queue);
    if (!target || is_consuming_) return;
    is_consuming_ = true;
    broker::Subscription subscription;
    subscription.consumer_tag = "late";
    subscription.credit = 1u << 30;
    subscribing_ = next_request();
    node.subscribe(channel(), subscribing_, target, subscription);
  });
  later(milliseconds(500), [this] { prepare(); });
}

void Delayer::declare_missing(cluster::Node& node) {
  const catalog::ResourceName from{"/", exchange}, to{"/", queue};
  if (!node.catalog().find_exchange(from)) {
    catalog::Exchange late;
    late.name = from;
    late.type = catalog::delaying_type;
    late.durable = true;
    late.arguments = {{"x-delayed-type", base::FieldValue("fanout")}};
    node.change(channel(), next_request(), catalog::DeclareExchange{late});
  } else if (!node.catalog().find_queue(to)) {
    catalog::Queue late;
    late.name = to;
    late.durable = true;
    late.leader = node.node_name();
    node.change(channel(), next_request(), catalog::DeclareQueue{late});
  } else if (node.catalog().bindings_from(from).empty()) {
    catalog::Binding binding;
    binding.source = from;
    binding.destination = queue;
    node.change(channel(), next_request(), catalog::AddBinding{binding});
  }
}

void Delayer::publish_next() {
  call([this](cluster::Node& node) {
    const bool is_ready = !node.catalog().bindings_from({"/", exchange}).empty();
    if (!is_finished() && is_ready && unconfirmed_.size() < most_unconfirmed) publish(node);
  });
  // Bursts now and then.
  const bool is_burst = world_.random().chance(40);
  later(is_burst ? base::Duration(0) : world_.between(milliseconds(50), milliseconds(400)),
        [this] { publish_next(); });
}

void Delayer::publish(cluster::Node& node) {
  base::Random& random = world_.random();
  const QueueId waiting = find_queue(node, catalog::delay_queue_of({"/", exchange}).name);
  if (!waiting) return world_.fail(name() + ": the exchange has no queue");
  const milliseconds delay(1 + random.below(random.chance(20) ? 8000 : 800));
  last_seq_ = last_seq_.next();
  const Number number = ++last_;
  unconfirmed_[last_seq_] = number;
  due_[number] = world_.wall_time() + delay;
  world_.trace("delayed: message {}, {} of channel {:x}, by {} ms", number, last_seq_.value,
               channel().value, delay.count());
  node.publish(channel(), last_seq_, make_message(number, delay, random.below(600)),
               std::span(&waiting, 1));
}

void Delayer::on_confirmed(std::span<const PublishSeq> publishes) {
  for (PublishSeq seq : publishes) {
    auto number = unconfirmed_.extract(seq);
    if (!number)
      return world_.fail(fmt::format("{}: publish {} is answered twice", name(), seq.value));
    world_.trace("delayed: message {} is confirmed", number.mapped());
    if (!taken_.contains(number.mapped())) missing_.insert(number.mapped());
  }
}

void Delayer::on_rejected(std::span<const PublishSeq> publishes) {
  for (PublishSeq seq : publishes) unconfirmed_.erase(seq);
}

void Delayer::on_delivery(std::string_view, const broker::Delivery& delivery) {
  const Number number = std::stoull(std::string(delivery.message.body()));
  if (world_.wall_time() < due_.at(number))
    return world_.fail(fmt::format("{}: message {} comes before its time", name(), number));
  if (!is_marked(delivery.message))
    return world_.fail(fmt::format("{}: message {} does not say that it waited", name(), number));
  world_.trace("delayed: message {} comes at {} of queue {}{}", number, delivery.index.value,
               delivery.queue.value, delivery.redelivered ? ", again" : "");
  taken_.insert(number);
  missing_.erase(number);
  // Not within the node's turn: the answer's own turn may be the node's last.
  later(base::Duration(0), [this, from = delivery.queue, lease = delivery.lease,
                            index = delivery.index] {
    call([this, from, lease, index](cluster::Node& node) {
      node.settle(channel(), from, lease, std::span(&index, 1), broker::Outcome::acknowledged);
      node.grant(channel(), "late", 1);
    });
  });
}

void Delayer::on_consumer_cancelled(std::string_view) { is_consuming_ = false; }

void Delayer::on_reply(broker::RequestId request, base::Result<broker::Reply> reply) {
  if (request == subscribing_ && !reply) is_consuming_ = false;
}

}  // namespace warren::sim
