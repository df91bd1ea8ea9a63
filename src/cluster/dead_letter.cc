#include "cluster/dead_letter.h"

#include <chrono>
#include <utility>

#include "codec/amqp091_properties.h"

namespace warren::cluster {
namespace {

using broker::DeathReason;

/// The keys of the header CC, without those that are no text.
std::vector<std::string> copy_keys(const base::FieldTable& headers) {
  std::vector<std::string> keys;
  const base::FieldValue* value = headers.find("CC");
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

}  // namespace

DeadLetter make_dead_letter(const broker::Message& message, DeathReason reason,
                            const catalog::ResourceName& queue, const DeadLetterRule& rule,
                            base::WallTime now, const catalog::Catalog& catalog,
                            broker::Router& router) {
  const broker::MessageParts old = message.parts();
  // They were checked when the message came; of what can't be read any more nothing is kept.
  auto properties = codec::amqp091::decode_properties(old.properties)
                        .value_or(codec::amqp091::Properties());
  base::FieldTable headers = properties.headers.value_or(base::FieldTable());
  std::vector<std::string> keys = copy_keys(headers);
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
  router.route({queue.vhost, rule.exchange}, all_keys, &headers, letter.queues);
  if (reason != DeathReason::rejected)
    std::erase_if(letter.queues, [&](catalog::QueueId id) {
      const catalog::Queue* target = catalog.find_queue(id);
      return !target || broker::is_dead_letter_cycle(headers, target->name.name);
    });
  if (letter.queues.empty()) return letter;

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

}  // namespace warren::cluster
