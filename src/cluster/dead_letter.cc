#include "cluster/dead_letter.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "codec/amqp091_properties.h"

namespace warren::cluster {
namespace {

using broker::DeathReason;

using codec::amqp091::Properties;

/// The keys of that header, without those that are no text.
std::vector<std::string> copy_keys(const base::FieldTable& headers, std::string_view name) {
  std::vector<std::string> keys;
  const base::FieldValue* value = headers.find(name);
  const auto* list = value ? value->as<base::FieldArray>() : nullptr;
  if (!list) return keys;
  for (const base::FieldValue& key : *list)
    if (const auto* text = key.as<std::string>()) keys.push_back(*text);
  return keys;
}

std::uint64_t seconds_of(base::WallTime time) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
}

/// They were checked when the message came; of what can't be read any more nothing is kept.
Properties properties_of(const broker::Message& message) {
  return codec::amqp091::decode_properties(message.properties()).value_or(Properties());
}

broker::RoutedContent content_of(const Properties& properties, const base::FieldTable& headers) {
  broker::RoutedContent content(&headers);
  content.message_id = properties.message_id;
  content.correlation_id = properties.correlation_id;
  content.timestamp = properties.timestamp;
  return content;
}

/// As clients know it where it fits.
base::FieldValue negative(std::uint64_t delay_ms) {
  const auto value = -static_cast<std::int64_t>(delay_ms);
  if (value >= INT32_MIN) return static_cast<std::int32_t>(value);
  return value;
}

}  // namespace

DeadLetter make_dead_letter(const broker::Message& message, DeathReason reason,
                            const catalog::ResourceName& queue, const DeadLetterRule& rule,
                            base::WallTime now, const catalog::Catalog& catalog,
                            broker::Router& router) {
  const broker::MessageParts old = message.parts();
  Properties properties = properties_of(message);
  base::FieldTable headers = properties.headers.value_or(base::FieldTable());
  std::vector<std::string> keys = copy_keys(headers, "CC");
  keys.insert(keys.begin(), std::string(old.routing_key));
  if (rule.routing_key) headers.erase("CC");
  broker::note_death(headers, {.queue = queue.name,
                               .reason = reason,
                               .exchange = std::string(old.exchange),
                               .routing_keys = keys,
                               .time_s = seconds_of(now),
                               .original_expiration = properties.expiration});
  if (rule.routing_key) keys = {*rule.routing_key};
  const base::ByteView blind_keys = rule.routing_key ? base::ByteView() : message.blind_keys();

  DeadLetter letter;
  std::vector<std::string_view> all_keys = broker::read_blind_keys(blind_keys);
  all_keys.insert(all_keys.begin(), keys.begin(), keys.end());
  router.route({queue.vhost, rule.exchange}, all_keys, content_of(properties, headers),
               letter.queues);
  letter.histories = router.histories();
  if (reason != DeathReason::rejected)
    std::erase_if(letter.queues, [&](catalog::QueueId id) {
      const catalog::Queue* target = catalog.find_queue(id);
      return !target || broker::is_dead_letter_cycle(headers, target->name.name);
    });
  if (letter.queues.empty() && letter.histories.empty()) return letter;

  properties.headers = std::move(headers);
  properties.expiration.reset();
  base::Bytes encoded;
  codec::amqp091::encode_properties(encoded, properties);
  broker::MessageParts parts = old;
  parts.exchange = rule.exchange;
  parts.routing_key = keys.front();
  parts.properties = encoded;
  parts.blind_keys = blind_keys;
  letter.message = broker::Message::make(parts);
  return letter;
}

broker::Message make_delayed(const broker::Message& message, base::WallTime now) {
  const Properties properties = properties_of(message);
  const auto now_ms = std::max<std::int64_t>(now.time_since_epoch().count(), 0);
  broker::MessageParts parts = message.parts();
  parts.expiration_ms = message.expiration_ms();
  parts.blind_keys = message.blind_keys();
  parts.due_ms = static_cast<std::uint64_t>(now_ms) +
                 broker::find_delay_ms(properties.headers ? &*properties.headers : nullptr);
  parts.persistent = true;
  return broker::Message::make(parts);
}

DeadLetter make_due_letter(const broker::Message& message, const catalog::ResourceName& exchange,
                           broker::Router& router) {
  broker::MessageParts parts = message.parts();
  Properties properties = properties_of(message);
  base::FieldTable headers = properties.headers.value_or(base::FieldTable());
  std::vector<std::string> keys{std::string(parts.routing_key)};
  std::ranges::move(copy_keys(headers, "CC"), std::back_inserter(keys));
  if (const std::uint64_t delay_ms = broker::find_delay_ms(&headers); delay_ms > 0)
    headers.set("x-delay", negative(delay_ms));

  DeadLetter letter;
  std::vector<std::string_view> all_keys = broker::read_blind_keys(message.blind_keys());
  all_keys.insert(all_keys.begin(), keys.begin(), keys.end());
  router.route(exchange, all_keys, content_of(properties, headers), letter.queues);
  letter.histories = router.histories();
  if (letter.queues.empty() && letter.histories.empty()) return letter;
  if (properties.headers) properties.headers = std::move(headers);
  base::Bytes encoded;
  codec::amqp091::encode_properties(encoded, properties);
  parts.properties = encoded;
  parts.persistent = properties.delivery_mode == codec::amqp091::persistent_delivery_mode;
  parts.expiration_ms = message.expiration_ms();
  parts.blind_keys = message.blind_keys();
  letter.message = broker::Message::make(parts);
  return letter;
}

}  // namespace warren::cluster
