#include "broker/queue_arguments.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::broker;
using base::FieldTable;
using base::FieldValue;

namespace {

/// The error text, or "ok".
std::string check(FieldTable arguments, bool durable = true, bool exclusive = false,
                  bool auto_delete = false) {
  auto result = check_new_queue({.name = {"/", "q"},
                                 .durable = durable && !exclusive,
                                 .exclusive = exclusive,
                                 .auto_delete = auto_delete,
                                 .arguments = std::move(arguments)});
  if (result) return "ok";
  CHECK(result.error().code == base::ErrorCode::precondition_failed);
  return result.error().text;
}

FieldValue integer(std::int64_t value) {
  return FieldValue(value);
}

std::string invalid(std::string_view argument, std::string_view detail) {
  return "invalid arg '" + std::string(argument) +
         "' for queue 'q' in vhost '/': " + std::string(detail);
}

}  // namespace

TEST_CASE("arguments that are refused, one by one") {
  struct Row {
    const char* argument;
    FieldValue value;
    const char* detail;
  };
  for (const auto& [argument, value, detail] : std::initializer_list<Row>{
           {"x-message-ttl", integer(-1), "{value_negative,-1}"},
           {"x-message-ttl", FieldValue("a"), "\"expected integer, got longstr\""},
           {"x-message-ttl", FieldValue(1.5), "\"expected integer, got double\""},
           {"x-message-ttl", integer(315360000001), "{value_too_large,315360000001}"},
           {"x-expires", integer(315360000001), "{value_too_large,315360000001}"},
           {"x-expires", integer(0), "{value_zero,0}"},
           {"x-expires", integer(-1), "{value_negative,-1}"},
           {"x-max-length", integer(-5), "{value_negative,-5}"},
           {"x-max-length", FieldValue("a"), "\"expected integer, got longstr\""},
           {"x-max-length-bytes", integer(-1), "{value_negative,-1}"},
           {"x-max-priority", integer(256), "{max_value_exceeded,256}"},
           {"x-max-priority", integer(-1), "{value_negative,-1}"},
           {"x-overflow", FieldValue("foo"), "invalid_overflow"},
           {"x-overflow", FieldValue(std::int32_t{1}), "{unacceptable_type,signedint}"},
           {"x-queue-mode", FieldValue("foo"), "\"unsupported queue mode 'foo'\""},
           {"x-queue-version", integer(3), "\"unsupported queue version '3'\""},
           {"x-queue-version", FieldValue("2"), "\"expected integer, got longstr\""},
           {"x-dead-letter-routing-key", FieldValue("a"), "routing_key_but_no_dlx_defined"},
           {"x-single-active-consumer", FieldValue("yes"), "{unacceptable_type,longstr}"},
           {"x-queue-type", FieldValue(std::int32_t{1}), "{unacceptable_type,signedint}"},
           {"x-queue-type", FieldValue("foo"), "\"unsupported queue type 'foo'\""},
           {"x-queue-mode", FieldValue("{}"), "\"unsupported queue mode '{}'\""}}) {
    CAPTURE(argument);
    CHECK(check({{argument, value}}) == invalid(argument, detail));
  }
  CHECK(check({{"x-dead-letter-exchange", FieldValue(std::int32_t{1})}}) ==
        "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'");
}

TEST_CASE("arguments that are accepted") {
  struct Row {
    const char* argument;
    FieldValue value;
  };
  for (const auto& [argument, value] :
       std::initializer_list<Row>{{"x-message-ttl", integer(0)},
                                  {"x-message-ttl", integer(315360000000)},
                                  {"x-message-ttl", integer(8589934592)},
                                  {"x-message-ttl", FieldValue(std::int16_t{1000})},
                                  {"x-expires", integer(4294967296)},
                                  {"x-max-length", integer(0)},
                                  {"x-max-priority", integer(0)},
                                  {"x-max-priority", integer(255)},
                                  {"x-overflow", FieldValue("reject-publish-dlx")},
                                  {"x-queue-mode", FieldValue("lazy")},
                                  {"x-queue-version", integer(2)},
                                  {"x-dead-letter-exchange", FieldValue("nosuch")},
                                  {"x-single-active-consumer", FieldValue(true)},
                                  {"x-queue-master-locator", FieldValue("min-masters")},
                                  {"x-queue-type", FieldValue("classic")},
                                  {"x-ha-policy", FieldValue("all")},
                                  {"x-foo", FieldValue(FieldTable{})}}) {
    CAPTURE(argument);
    CHECK(check({{argument, value}}) == "ok");
  }
  CHECK(check({}) == "ok");
  CHECK(check({}, false, true, true) == "ok");
}

TEST_CASE("a delivery limit goes with classic queues, and is a number there") {
  CHECK(check({{"x-delivery-limit", integer(3)}}) == "ok");
  CHECK(check({{"x-delivery-limit", integer(-3)}}) ==
        "invalid arg 'x-delivery-limit' for queue 'q' in vhost '/': {value_negative,-3}");
}

TEST_CASE("arguments that do not go with the queue type") {
  auto type = [](const char* name) { return std::pair("x-queue-type", FieldValue(name)); };
  CHECK(check({{"x-max-age", FieldValue("1D")}}) ==
        "invalid arg 'x-max-age' for queue 'q' in vhost '/' of queue type "
        "rabbit_classic_queue");
  CHECK(check({{"x-queue-leader-locator", FieldValue("nosuch")}}) ==
        "invalid arg 'x-queue-leader-locator' for queue 'q' in vhost '/' of queue type "
        "rabbit_classic_queue");
  CHECK(check({{"x-max-in-memory-length", integer(5)}}) ==
        "invalid arg 'x-max-in-memory-length' for queue 'q' in vhost '/' of queue type "
        "rabbit_classic_queue");
  CHECK(check({type("classic"), {"x-quorum-initial-group-size", integer(3)}}) ==
        "invalid arg 'x-quorum-initial-group-size' for queue 'q' in vhost '/' of queue type "
        "rabbit_classic_queue");
  CHECK(check({type("quorum"), {"x-queue-mode", FieldValue("lazy")}}) ==
        "invalid arg 'x-queue-mode' for queue 'q' in vhost '/' of queue type "
        "rabbit_quorum_queue");
  CHECK(check({type("stream"), {"x-max-length", integer(10)}}) ==
        "invalid arg 'x-max-length' for queue 'q' in vhost '/' of queue type "
        "rabbit_stream_queue");
  CHECK(check({type("stream"), {"x-max-age", FieldValue("1x")}}) ==
        invalid("x-max-age", "invalid_max_age"));
}

TEST_CASE("quorum queues and streams: their own rules, then not offered") {
  for (const char* name : {"quorum", "stream"}) {
    FieldTable type{{"x-queue-type", FieldValue(name)}};
    CHECK(check(type, false) == "invalid property 'non-durable' for queue 'q' in vhost '/'");
    CHECK(check(type, true, true) ==
          "invalid property 'exclusive-owner' for queue 'q' in vhost '/'");
    CHECK(check(type, true, false, true) ==
          "invalid property 'auto-delete' for queue 'q' in vhost '/'");
    CHECK(check(type) == "queue type '" + std::string(name) +
                             "' is not offered yet: declare queue 'q' in vhost '/' as classic");
  }
  CHECK(check_server_named({{"x-queue-type", FieldValue("quorum")}}).error().text ==
        "Cannot declare a server-named queue for type rabbit_quorum_queue");
  CHECK(check_server_named({}).has_value());
}

TEST_CASE("queue names with the reserved prefix") {
  CHECK(check_queue_name("q").has_value());
  CHECK(check_queue_name("amq.foo").error() ==
        base::Error{base::ErrorCode::access_refused,
                    "queue name 'amq.foo' contains reserved prefix 'amq.*'"});
}

TEST_CASE("arguments of consumers") {
  catalog::ResourceName queue{"/", "q"};
  CHECK(check_consumer_arguments(queue, {{"x-priority", integer(-3)}, {"x-foo", FieldValue()}})
            .has_value());
  CHECK(check_consumer_arguments(queue, {{"x-priority", FieldValue("1")}}).error().text ==
        invalid("x-priority", "\"expected integer, got longstr\""));
  CHECK(check_consumer_arguments(queue, {{"x-cancel-on-ha-failover", integer(1)}}).error().text ==
        invalid("x-cancel-on-ha-failover", "{unacceptable_type,long}"));
  CHECK(check_consumer_arguments(queue, {{"x-stream-offset", FieldValue("first")}}).error().text ==
        "invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type "
        "rabbit_classic_queue");
}
