#include <doctest/doctest.h>

#include "broker/queue_arguments.h"

using namespace warren;
using namespace warren::broker;

TEST_CASE("a queue without arguments and policies has no limits") {
  CHECK(make_queue_settings({}, nullptr, nullptr) == QueueSettings{});
}

TEST_CASE("the lowest of the limits holds, whoever set it") {
  base::FieldTable arguments{{"x-message-ttl", std::int32_t{5000}},
                             {"x-max-length", std::int64_t{10}}};
  catalog::PolicyDefinition policy, operator_policy;
  policy.message_ttl_ms = 1000;
  policy.max_length = 20;
  policy.expires_ms = 7;
  operator_policy.max_length = 5;
  operator_policy.max_length_bytes = 100;
  QueueSettings settings = make_queue_settings(arguments, &policy, &operator_policy);
  CHECK(settings.message_ttl_ms == 1000);
  CHECK(settings.max_length == 5);
  CHECK(settings.max_length_bytes == 100);
  CHECK(settings.expires_ms == 7);
  CHECK(make_queue_settings(arguments, &policy, nullptr).max_length == 10);
}

TEST_CASE("a limit of zero is a limit") {
  base::FieldTable arguments{{"x-max-length", std::int32_t{0}}};
  catalog::PolicyDefinition policy;
  policy.max_length = 20;
  CHECK(make_queue_settings(arguments, &policy, nullptr).max_length == 0);
}

TEST_CASE("the declaration's word comes before the policy's") {
  base::FieldTable arguments{{"x-dead-letter-exchange", "own"}};
  catalog::PolicyDefinition policy;
  policy.dead_letter_exchange = "policy";
  policy.dead_letter_routing_key = "key";
  policy.overflow = "reject-publish";
  QueueSettings settings = make_queue_settings(arguments, &policy, nullptr);
  CHECK(settings.dead_letter_exchange == "own");
  CHECK(settings.dead_letter_routing_key == "key");
  CHECK(settings.overflow == Overflow::reject_publish);
  CHECK(make_queue_settings({}, &policy, nullptr).dead_letter_exchange == "policy");
}
