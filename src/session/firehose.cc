#include "session/firehose.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "codec/amqp091_properties.h"
#include "session/publish_checks.h"

namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {

constexpr std::string_view trace_exchange = "amq.rabbitmq.trace";
constexpr std::size_t longest_key = 255;

void add_text(base::FieldTable& table, std::string name, const std::optional<std::string>& text) {
  if (text) table.add(std::move(name), *text);
}

/// Every number goes as one of 32 bits, whatever it was.
template <typename Number>
void add_number(base::FieldTable& table, std::string name, const std::optional<Number>& number) {
  if (number) table.add(std::move(name), static_cast<std::int32_t>(*number));
}

/// Those that are there, from the last to the first, which is RabbitMQ's order.
base::FieldTable property_table(const Properties& properties) {
  base::FieldTable table;
  add_text(table, "cluster_id", properties.cluster_id);
  add_text(table, "app_id", properties.app_id);
  add_text(table, "user_id", properties.user_id);
  add_text(table, "type", properties.type);
  add_number(table, "timestamp", properties.timestamp);
  add_text(table, "message_id", properties.message_id);
  add_text(table, "expiration", properties.expiration);
  add_text(table, "reply_to", properties.reply_to);
  add_text(table, "correlation_id", properties.correlation_id);
  add_number(table, "priority", properties.priority);
  add_number(table, "delivery_mode", properties.delivery_mode);
  if (properties.headers) table.add("headers", *properties.headers);
  add_text(table, "content_encoding", properties.content_encoding);
  add_text(table, "content_type", properties.content_type);
  return table;
}

/// With those of the headers CC and BCC.
base::FieldArray key_array(const broker::Message& message) {
  base::FieldArray keys{std::string(message.routing_key())};
  if (const auto scan = scan_properties(message.properties()); scan && scan->has_headers)
    if (const auto extra = read_extra_keys(*scan))
      for (const std::string& key : extra->keys) keys.emplace_back(key);
  for (std::string_view key : broker::read_blind_keys(message.blind_keys()))
    keys.emplace_back(std::string(key));
  return keys;
}

void add_place(base::FieldTable& headers, const Firehose::Place& place) {
  headers.add("vhost", place.vhost);
  headers.add("connection", place.connection);
  headers.add("channel", static_cast<std::int32_t>(place.channel));
  headers.add("user", place.user);
}

}  // namespace

Firehose::~Firehose() {
  if (channel_) gateway_.close_channel(channel_);
}

void Firehose::trace(const std::string& vhost, bool is_on) {
  if (!is_on) {
    vhosts_.erase(vhost);
    return;
  }
  vhosts_.insert(vhost);
  if (!channel_) channel_ = gateway_.open_channel(*this);
}

base::FieldTable Firehose::describe(const broker::Message& message) const {
  base::FieldTable headers;
  headers.add("exchange_name", std::string(message.exchange()));
  headers.add("routing_keys", key_array(message));
  const auto properties = decode_properties(message.properties());
  headers.add("properties", properties ? property_table(*properties) : base::FieldTable());
  headers.add("node", gateway_.node_name());
  return headers;
}

void Firehose::copy_publish(const Place& from, const broker::Message& message,
                            std::span<const catalog::QueueId> queues) {
  if (message.exchange() == trace_exchange) return;
  base::FieldTable headers = describe(message);
  add_place(headers, from);
  base::FieldArray names;
  for (catalog::QueueId id : queues)
    if (const auto* queue = gateway_.catalog().find_queue(id)) names.emplace_back(queue->name.name);
  headers.add("routed_queues", std::move(names));
  send(from, "publish." + std::string(message.exchange()), headers, message);
}

void Firehose::copy_delivery(const Place& to, const broker::Delivery& delivery) {
  const catalog::Queue* queue = gateway_.catalog().find_queue(delivery.queue);
  // Copies are not copied once more, or there would be no end to them.
  if (queue == nullptr || delivery.message.exchange() == trace_exchange) return;
  base::FieldTable headers = describe(delivery.message);
  headers.add("redelivered", std::int32_t{delivery.redelivered});
  add_place(headers, to);
  send(to, "deliver." + queue->name.name, headers, delivery.message);
}

void Firehose::send(const Place& place, std::string routing_key, const base::FieldTable& headers,
                    const broker::Message& message) {
  routing_key.resize(std::min(routing_key.size(), longest_key));
  routed_.clear();
  router_.route({place.vhost, std::string(trace_exchange)}, routing_key, &headers, routed_);
  const auto& histories = router_.histories();
  if ((routed_.empty() && histories.empty()) || gateway_.is_congested(channel_)) return;
  Properties properties;
  properties.headers = headers;
  base::Bytes encoded;
  encode_properties(encoded, properties);
  broker::MessageParts parts;
  parts.exchange = trace_exchange;
  parts.routing_key = routing_key;
  parts.properties = encoded;
  parts.body = message.body();
  const broker::Message copy = broker::Message::make(parts);
  for (const catalog::ResourceName& exchange : histories) gateway_.remember(exchange, copy);
  if (routed_.empty()) return;
  last_publish_ = last_publish_.next();
  gateway_.publish(channel_, last_publish_, copy, routed_);
}

}  // namespace warren::session::amqp091
