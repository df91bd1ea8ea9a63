// Publishing over HTTP, by the rules by which a channel publishes.
#include <fmt/format.h>

#include <utility>

#include "broker/password.h"
#include "broker/router.h"
#include "codec/amqp091_properties.h"
#include "management/http_call.h"
#include "management/queue_call.h"
#include "session/publish_checks.h"

namespace warren::management {
namespace {

using codec::amqp091::Properties;
using session::amqp091::Failure;

constexpr std::size_t max_text = 255;

/// Reads members of an object; answers 400 for the first that is not what it should be.
class PropertyReader {
 public:
  PropertyReader(const HttpCall& call, const JsonObject& object) : call_(call), object_(object) {}

  bool has_failed() const { return has_failed_; }

  std::optional<std::string> text(std::string_view name) {
    const Json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_string()) return fail(JsonArray{"not_string", text_json(name)});
    const std::string_view text = text_of(value->get_string());
    return std::string(text.substr(0, max_text));
  }
  template <typename Number>
  std::optional<Number> number(std::string_view name) {
    if (!find(name)) return std::nullopt;
    const auto value = member_integer(object_, name);
    if (!value) return fail(JsonArray{"not_int", text_json(name)});
    if (!std::in_range<Number>(*value))
      return fail(text_json(fmt::format("{} is out of range", name)));
    return static_cast<Number>(*value);
  }

 private:
  const Json* find(std::string_view name) const {
    return has_failed_ ? nullptr : object_.if_contains({name.data(), name.size()});
  }
  std::nullopt_t fail(const Json& reason) {
    has_failed_ = true;
    call_.answer_error(400, "bad_request", reason);
    return std::nullopt;
  }

  const HttpCall& call_;
  const JsonObject& object_;
  bool has_failed_ = false;
};

/// Answers 400 and gives empty for properties that can't be.
std::optional<Properties> read_properties(const HttpCall& call, const Json& given) {
  if (!given.is_object()) return Properties{};
  const JsonObject& object = given.get_object();
  PropertyReader reader(call, object);
  Properties properties;
  properties.content_type = reader.text("content_type");
  properties.content_encoding = reader.text("content_encoding");
  if (const Json* headers = object.if_contains("headers"); headers && headers->is_object())
    properties.headers = json_table(headers->get_object());
  properties.delivery_mode = reader.number<std::uint8_t>("delivery_mode");
  properties.priority = reader.number<std::uint8_t>("priority");
  properties.correlation_id = reader.text("correlation_id");
  properties.reply_to = reader.text("reply_to");
  properties.expiration = reader.text("expiration");
  properties.message_id = reader.text("message_id");
  properties.timestamp = reader.number<std::uint64_t>("timestamp");
  properties.type = reader.text("type");
  properties.user_id = reader.text("user_id");
  properties.app_id = reader.text("app_id");
  properties.cluster_id = reader.text("cluster_id");
  if (reader.has_failed()) return std::nullopt;
  return properties;
}

/// The payload's bytes; answers 400 and gives empty for an encoding that does not fit.
std::optional<std::string> read_payload(const HttpCall& call, const JsonObject& body) {
  const std::string encoding = member_text(body, "payload_encoding");
  const std::string payload = member_text(body, "payload");
  if (!body.at("payload").is_string()) {
    call.bad_request("payload_not_string");
    return std::nullopt;
  }
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

/// With the text that a channel would close with.
void refuse(const HttpCall& call, const Failure& failure) {
  call.bad_request(fmt::format("{} {}", static_cast<int>(failure.code), failure.reply_text()));
}

/// What goes out: `encoded` are its properties.
struct Publish {
  catalog::ResourceName exchange;
  std::string routing_key;
  Properties properties;
  base::Bytes encoded;
  std::string body;
};

void send(const HttpCall& call, const Publish& publish, const session::amqp091::ExtraKeys& extra) {
  const Properties& properties = publish.properties;
  std::vector<std::string_view> keys{publish.routing_key};
  keys.insert(keys.end(), extra.keys.begin(), extra.keys.end());
  broker::Router& router = *call.operations->router();
  std::vector<catalog::QueueId> queues;
  router.route(publish.exchange, keys, session::amqp091::routed_content(properties), queues);
  // Of one that waits nobody knows yet where it will go.
  const bool routed = !queues.empty() && !router.is_held_back();

  const base::Bytes shown = extra.has_bcc
                                ? session::amqp091::rewrite_properties(publish.encoded, "")
                                : publish.encoded;
  broker::MessageParts parts;
  parts.exchange = publish.exchange.name;
  parts.routing_key = publish.routing_key;
  parts.properties = shown;
  parts.body = publish.body;
  parts.persistent = properties.delivery_mode == codec::amqp091::persistent_delivery_mode;
  parts.priority = properties.priority.value_or(0);
  parts.expiration_ms = codec::amqp091::read_expiration(properties.expiration);
  parts.blind_keys = extra.blind_keys;
  const broker::Message message = broker::Message::make(parts);
  for (const catalog::ResourceName& history : router.histories())
    call.operations->gateway()->remember(history, message);
  publish_message(*call.operations, message, queues, [call, routed](base::Result<> done) {
    if (!done) return call.answer_failure(done.error());
    call.answer_json(JsonObject{{"routed", routed}});
  });
}

void publish(const HttpCall& call) {
  auto body = call.object_body({"routing_key", "properties", "payload", "payload_encoding"});
  if (!body) return;
  auto payload = read_payload(call, *body);
  if (!payload) return;
  auto properties = read_properties(call, body->at("properties"));
  if (!properties) return;
  Publish publish{{call.path[0], call.path[1] == "amq.default" ? "" : call.path[1]},
                  member_text(*body, "routing_key"),
                  std::move(*properties),
                  {},
                  std::move(*payload)};
  if (publish.routing_key.size() > max_text)
    return call.bad_request("the routing key is too long");
  if (auto open = session::amqp091::check_target(call.authorizer(), call.login, call.catalog(),
                                                 publish.exchange, publish.routing_key);
      !open)
    return call.asks_first() ? void() : refuse(call, open.error());
  codec::amqp091::encode_properties(publish.encoded, publish.properties);
  const auto scan = codec::amqp091::scan_properties(publish.encoded);
  if (!scan) return call.answer_failure(scan.error());
  if (auto sound = session::amqp091::check_properties(*scan, call.login, false); !sound)
    return refuse(call, sound.error());
  const auto extra = session::amqp091::read_extra_keys(*scan);
  if (!extra) return refuse(call, extra.error());
  send(call, publish, *extra);
}

constexpr HttpRoute entries[] = {
    {"POST", "exchanges/*/*/publish", HttpPower::management, publish, true},
};

}  // namespace

std::span<const HttpRoute> publish_routes() { return entries; }

}  // namespace warren::management
