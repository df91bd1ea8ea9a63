// Getting messages over HTTP, and the aliveness test.
#include <algorithm>

#include "base/utf8.h"
#include "broker/equivalence.h"
#include "broker/password.h"
#include "catalog/delaying.h"
#include "codec/amqp091_properties.h"
#include "management/http_call.h"
#include "management/queue_call.h"

namespace warren::management {
namespace {

using broker::Access;
using broker::ResourceKind;

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

/// As `HttpCall::may` for queues, with the text that a channel would close with: clients know
/// that what is asked for here is done over one.
bool may_over_channel(const HttpCall& call, const catalog::ResourceName& name, Access access) {
  const auto allowed =
      call.authorizer().check(call.login, name.vhost, ResourceKind::queue, name.name, access);
  if (!allowed && !call.asks_first())
    call.answer_error(401, "not_authorised", text_json("ACCESS_REFUSED - " + allowed.error().text));
  return allowed.has_value();
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
  if (!may_over_channel(call, name, Access::read)) return;
  if (auto open = catalog::check_no_delay_queue(name); !open)
    return call.answer_failure(open.error());
  if (auto shared = broker::check_exclusive_access(*queue, {}); !shared)
    return call.bad_request("405 RESOURCE_LOCKED - " + shared.error().text);
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
  if (!may_over_channel(call, name, Access::configure)) return;
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
    {"GET", "aliveness-test/*", HttpPower::management, aliveness_test, true},
};

}  // namespace

std::span<const HttpRoute> message_routes() { return entries; }

}  // namespace warren::management
