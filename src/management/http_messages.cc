// Getting and publishing messages over HTTP, and the aliveness test made of both.
#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "broker/exchange_declaration.h"
#include "broker/password.h"
#include "broker/router.h"
#include "catalog/delaying.h"
#include "codec/amqp091_properties.h"
#include "management/http_call.h"
#include "management/queue_call.h"

namespace warren::management {
namespace {

using broker::Access;
using broker::ResourceKind;
using codec::amqp091::Properties;

constexpr std::size_t max_messages = 100000;

template <typename Value>
void add_property(JsonObject& object, const char* name, const std::optional<Value>& value) {
  if constexpr (std::is_same_v<Value, std::string>) {
    if (value) object[name] = text_json(*value);
  } else {
    if (value) object[name] = *value;
  }
}

/// Clients know an empty list where there are no properties.
Json properties_json(base::ByteView encoded) {
  auto properties = codec::amqp091::decode_properties(encoded);
  JsonObject object;
  if (properties) {
    add_property(object, "cluster_id", properties->cluster_id);
    add_property(object, "app_id", properties->app_id);
    add_property(object, "user_id", properties->user_id);
    add_property(object, "type", properties->type);
    add_property(object, "timestamp", properties->timestamp);
    add_property(object, "message_id", properties->message_id);
    add_property(object, "expiration", properties->expiration);
    add_property(object, "reply_to", properties->reply_to);
    add_property(object, "correlation_id", properties->correlation_id);
    add_property(object, "priority", properties->priority);
    add_property(object, "delivery_mode", properties->delivery_mode);
    if (properties->headers) object["headers"] = table_json(*properties->headers);
    add_property(object, "content_encoding", properties->content_encoding);
    add_property(object, "content_type", properties->content_type);
  }
  if (object.empty()) return JsonArray{};
  return object;
}

JsonObject message_json(const GotMessage& got, bool force_base64, std::size_t truncate) {
  const broker::Message& message = got.delivery.message;
  base::ByteView payload = message.body();
  payload = payload.substr(0, std::min(payload.size(), truncate));
  const bool as_text = !force_base64 && base::is_utf8(payload);
  return {{"payload_bytes", message.body().size()},
          {"redelivered", got.delivery.redelivered},
          {"exchange", text_json(message.exchange())},
          {"routing_key", text_json(message.routing_key())},
          {"message_count", got.remaining},
          {"properties", properties_json(message.properties())},
          {"payload", text_json(as_text ? std::string(payload) : broker::encode_base64(payload))},
          {"payload_encoding", as_text ? "string" : "base64"}};
}

std::optional<broker::Outcome> outcome_of(std::string_view ackmode) {
  if (ackmode == "ack_requeue_true" || ackmode == "reject_requeue_true")
    return broker::Outcome::requeued;
  if (ackmode == "ack_requeue_false") return broker::Outcome::acknowledged;
  if (ackmode == "reject_requeue_false") return broker::Outcome::rejected;
  return std::nullopt;
}

void get(const HttpCall& call) {
  auto body = call.object_body({"ackmode", "count", "encoding"});
  if (!body) return;
  const std::string encoding = member_text(*body, "encoding");
  const auto outcome = outcome_of(member_text(*body, "ackmode"));
  const auto count = member_integer(*body, "count");
  if (!count || *count < 0) return call.bad_request("count must be a whole number");
  if (!outcome) return call.bad_request("ackmode is not known");
  if (encoding != "auto" && encoding != "base64")
    return call.answer_error(400, "bad_request",
                             JsonArray{"unsupported_encoding", text_json(encoding)});
  const catalog::ResourceName name{call.path[0], call.path[1]};
  const catalog::Queue* queue = call.catalog().find_queue(name);
  if (!queue)
    return call.answer_error(
        404, "not_found",
        text_json("NOT_FOUND - " +
                  broker::no_such_resource(ResourceKind::queue, name).text));
  if (!call.may(name, ResourceKind::queue, Access::read)) return;
  if (auto open = catalog::check_no_delay_queue(name); !open)
    return call.answer_failure(open.error());
  const std::size_t truncate = static_cast<std::size_t>(
      std::max<std::int64_t>(0, member_integer(*body, "truncate").value_or(INT64_MAX)));
  const bool force_base64 = encoding == "base64";
  get_messages(*call.operations, queue->id,
               std::min(static_cast<std::size_t>(*count), max_messages), *outcome,
               [=](base::Result<std::vector<GotMessage>> messages) {
                 if (!messages) return call.answer_failure(messages.error());
                 JsonArray list;
                 for (const GotMessage& message : *messages)
                   list.push_back(message_json(message, force_base64, truncate));
                 call.answer_json(std::move(list));
               });
}

std::optional<std::string> text_property(const JsonObject& object, std::string_view name) {
  if (!object.contains({name.data(), name.size()})) return std::nullopt;
  std::string text = member_text(object, name);
  if (auto number = member_integer(object, name)) text = fmt::format("{}", *number);
  text.resize(std::min<std::size_t>(text.size(), 255));
  return text;
}

template <typename Number>
std::optional<Number> number_property(const JsonObject& object, std::string_view name) {
  if (auto number = member_integer(object, name)) return static_cast<Number>(*number);
  return std::nullopt;
}

Properties read_properties(const JsonObject& object) {
  Properties properties;
  properties.content_type = text_property(object, "content_type");
  properties.content_encoding = text_property(object, "content_encoding");
  if (const Json* headers = object.if_contains("headers"); headers && headers->is_object())
    properties.headers = json_table(headers->get_object());
  properties.delivery_mode = number_property<std::uint8_t>(object, "delivery_mode");
  properties.priority = number_property<std::uint8_t>(object, "priority");
  properties.correlation_id = text_property(object, "correlation_id");
  properties.reply_to = text_property(object, "reply_to");
  properties.expiration = text_property(object, "expiration");
  properties.message_id = text_property(object, "message_id");
  properties.timestamp = number_property<std::uint64_t>(object, "timestamp");
  properties.type = text_property(object, "type");
  properties.user_id = text_property(object, "user_id");
  properties.app_id = text_property(object, "app_id");
  properties.cluster_id = text_property(object, "cluster_id");
  return properties;
}

/// The payload's bytes; answers 400 and gives empty for an encoding that does not fit.
std::optional<std::string> read_payload(const HttpCall& call, const JsonObject& body) {
  const std::string encoding = member_text(body, "payload_encoding");
  const std::string payload = member_text(body, "payload");
  if (encoding == "string") return payload;
  if (encoding == "base64") {
    if (auto bytes = broker::decode_base64(payload)) return std::move(*bytes);
    call.bad_request("payload is no base64");
    return std::nullopt;
  }
  call.answer_error(400, "bad_request",
                    JsonArray{"unsupported_encoding", text_json(encoding)});
  return std::nullopt;
}

/// Whether the user may publish there; answers when not.
bool check_publish(const HttpCall& call, const catalog::ResourceName& name,
                   const Properties& properties) {
  if (!name.name.empty()) {
    const catalog::Exchange* exchange = call.catalog().find_exchange(name);
    if (!exchange) {
      call.bad_request("404 NOT_FOUND - " +
                       broker::no_such_resource(ResourceKind::exchange, name).text);
      return false;
    }
    if (auto open = broker::check_publishable(*exchange); !open) {
      call.bad_request("403 ACCESS_REFUSED - " + open.error().text);
      return false;
    }
  }
  if (properties.user_id && *properties.user_id != call.login.user) {
    call.bad_request(fmt::format("406 PRECONDITION_FAILED - user_id property set to '{}' but "
                                 "authenticated user was '{}'",
                                 *properties.user_id, call.login.user));
    return false;
  }
  return call.may(name, ResourceKind::exchange, Access::write);
}

void publish(const HttpCall& call) {
  auto body = call.object_body({"routing_key", "properties", "payload", "payload_encoding"});
  if (!body) return;
  auto payload = read_payload(call, *body);
  if (!payload) return;
  const std::string exchange = call.path[1] == "amq.default" ? "" : call.path[1];
  const catalog::ResourceName name{call.path[0], exchange};
  const Json& given = body->at("properties");
  const Properties properties =
      given.is_object() ? read_properties(given.get_object()) : Properties{};
  if (!check_publish(call, name, properties)) return;
  const std::string routing_key = member_text(*body, "routing_key");
  if (routing_key.size() > 255) return call.bad_request("the routing key is too long");

  base::Bytes encoded;
  codec::amqp091::encode_properties(encoded, properties);
  broker::MessageParts parts;
  parts.exchange = exchange;
  parts.routing_key = routing_key;
  parts.properties = encoded;
  parts.body = *payload;
  parts.persistent = properties.delivery_mode == 2;
  parts.priority = properties.priority.value_or(0);
  parts.expiration_ms = codec::amqp091::read_expiration(properties.expiration);
  broker::RoutedContent content(properties.headers ? &*properties.headers : nullptr);
  content.message_id = properties.message_id;
  content.correlation_id = properties.correlation_id;
  content.timestamp = properties.timestamp;
  std::vector<catalog::QueueId> queues;
  call.operations->router()->route(name, routing_key, content, queues);
  // Of one that waits nobody knows yet where it will go.
  const bool routed = !queues.empty() && !call.operations->router()->is_held_back();
  const broker::Message message = broker::Message::make(parts);
  for (const catalog::ResourceName& history : call.operations->router()->histories())
    call.operations->gateway()->remember(history, message);
  publish_message(*call.operations, message, queues,
                  [call, routed](base::Result<> done) {
                    if (!done) return call.answer_failure(done.error());
                    call.answer_json(JsonObject{{"routed", routed}});
                  });
}

constexpr std::string_view test_queue = "aliveness-test";

void test_with_queue(const HttpCall& call) {
  if (!call.operations->gateway()) return call.answer_status(503);
  const catalog::Queue* queue =
      call.catalog().find_queue(catalog::ResourceName{call.path[0], std::string(test_queue)});
  if (!queue) return call.answer_status(503);
  base::Bytes encoded;
  codec::amqp091::encode_properties(encoded, {});
  broker::MessageParts parts;
  parts.routing_key = test_queue;
  parts.properties = encoded;
  parts.body = "test_message";
  const catalog::QueueId id = queue->id;
  publish_message(*call.operations, broker::Message::make(parts), {&id, 1},
                  [call, id](base::Result<> done) {
    if (!done) return call.answer_failure(done.error());
    get_messages(*call.operations, id, 1, broker::Outcome::acknowledged,
                 [call](base::Result<std::vector<GotMessage>> messages) {
      if (!messages) return call.answer_failure(messages.error());
      call.answer_json(JsonObject{{"status", "ok"}});
    });
  });
}

void aliveness_test(const HttpCall& call) {
  const catalog::ResourceName name{call.path[0], std::string(test_queue)};
  if (!call.may(name, ResourceKind::queue, Access::configure)) return;
  if (call.catalog().find_queue(name)) return test_with_queue(call);
  catalog::Queue queue;
  queue.name = name;
  queue.leader = call.operations->node_name();
  call.operations->propose(catalog::DeclareQueue{std::move(queue)},
                           [call](base::Result<catalog::Applied> done) {
    if (!done && done.error().code != base::ErrorCode::already_exists)
      return call.answer_failure(done.error());
    test_with_queue(call);
  });
}

constexpr HttpRoute entries[] = {
    {"POST", "queues/*/*/get", HttpPower::management, get, true},
    {"POST", "exchanges/*/*/publish", HttpPower::management, publish, true},
    {"GET", "aliveness-test/*", HttpPower::management, aliveness_test, true},
};

}  // namespace

std::span<const HttpRoute> message_routes() { return entries; }

}  // namespace warren::management
