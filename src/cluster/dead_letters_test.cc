#include "cluster/dead_letters.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "cluster/test_node.h"
#include "codec/amqp091_properties.h"

using namespace warren;
using namespace warren::cluster;
using namespace std::chrono_literals;

namespace {

struct Setting final : GettingNode {
  using GettingNode::GettingNode;

  base::WallTime wall_time() const override {
    return base::WallTime(std::chrono::seconds(1'700'000'000));
  }
  /// To the queue `to` by name.
  static base::FieldTable dying_to(const std::string& to) {
    return {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", to}};
  }
  void publish(catalog::QueueId queue, base::ByteView body) {
    codec::amqp091::Properties properties;
    properties.expiration = "60000";
    base::Bytes encoded;
    encode_properties(encoded, properties);
    GettingNode::publish(broker::Message::make({"", "q", encoded, body, true, 0}), queue);
  }
  void reject(const broker::Delivery& delivery) {
    node->settle(channel, delivery.queue, delivery.lease, {&delivery.index, 1},
                 broker::Outcome::rejected);
    turn();
  }
  /// Publishes one and rejects it.
  void kill_one(catalog::QueueId queue, base::ByteView body) {
    publish(queue, body);
    auto delivery = get(queue);
    REQUIRE(delivery);
    reject(*delivery);
  }
};

base::FieldTable headers_of(const broker::Delivery& delivery) {
  auto properties = codec::amqp091::decode_properties(delivery.message.properties());
  REQUIRE(properties.has_value());
  CHECK_FALSE(properties->expiration);
  return properties->headers.value_or(base::FieldTable());
}

}  // namespace

TEST_CASE("what is rejected goes to another queue, as new, with its death on it") {
  Setting setting;
  auto dead = setting.declare("dead");
  auto queue = setting.declare("q", Setting::dying_to("dead"));
  setting.kill_one(queue, "body");
  CHECK(setting.counts(queue).dying == 0);
  auto letter = setting.get(dead);
  REQUIRE(letter);
  CHECK_FALSE(letter->redelivered);
  CHECK(letter->message.body() == "body");
  CHECK(letter->message.exchange() == "");
  CHECK(letter->message.routing_key() == "dead");
  CHECK(letter->message.is_persistent());
  base::FieldTable headers = headers_of(*letter);
  const auto& deaths = *headers.find("x-death")->as<base::FieldArray>();
  const auto& death = *deaths.front().as<base::FieldTable>();
  CHECK(*death.find("reason") == base::FieldValue("rejected"));
  CHECK(*death.find("time") == base::FieldValue(base::FieldTimestamp{1'700'000'000}));
  CHECK(*death.find("original-expiration") == base::FieldValue("60000"));
}

TEST_CASE("a message leaves its queue when its dead letter is confirmed, not before") {
  Setting setting;
  auto dead = setting.declare("dead");
  auto queue = setting.declare("q", Setting::dying_to("dead"));
  setting.publish(queue, "body");
  auto delivery = setting.get(queue);
  REQUIRE(delivery);
  setting.disk_stands = true;
  setting.reject(*delivery);
  CHECK(setting.counts(dead).ready == 1);
  CHECK(setting.counts(queue).dying == 1);
  CHECK(setting.counts(queue).ready == 0);
  CHECK(setting.counts(queue).unacknowledged == 0);
  CHECK(setting.node->replicas()[0].messages.size() +
            setting.node->replicas()[1].messages.size() == 2);
  setting.disk_stands = false;
  setting.turn();
  CHECK(setting.counts(queue).dying == 0);
  CHECK(setting.counts(dead).ready == 1);
}

TEST_CASE("a dead letter waits for a target that is down") {
  Setting setting;
  setting.add_member("rabbit@away");
  auto dead = setting.declare("dead", {}, "rabbit@away");
  auto queue = setting.declare("q", Setting::dying_to("dead"));
  setting.change(catalog::NodesDown{{{"rabbit@away", {1}}}});
  setting.kill_one(queue, "body");
  for (int i = 0; i < 5; ++i) setting.pass(1s);
  CHECK(setting.counts(queue).dying == 1);
  // A queue that is deleted has taken its messages with it.
  setting.change(catalog::DeleteQueue{dead});
  setting.pass(1s);
  CHECK(setting.counts(queue).dying == 0);
}

TEST_CASE("of several targets only the one that refused is asked again") {
  Setting setting;
  setting.add_member("rabbit@away");
  setting.declare("away", {}, "rabbit@away");
  auto here = setting.declare("here");
  for (const char* target : {"away", "here"})
    setting.change(catalog::AddBinding{
        {{"/", "amq.fanout"}, catalog::DestinationKind::queue, target, "", {}}});
  auto queue = setting.declare("q", {{"x-dead-letter-exchange", "amq.fanout"}});
  setting.change(catalog::NodesDown{{{"rabbit@away", {1}}}});
  setting.kill_one(queue, "body");
  for (int i = 0; i < 5; ++i) setting.pass(1s);
  CHECK(setting.counts(here).ready == 1);
  CHECK(setting.counts(queue).dying == 1);
}

TEST_CASE("without a target a message that dies is gone") {
  Setting setting;
  auto queue = setting.declare("q", {{"x-dead-letter-exchange", "nowhere"}});
  setting.kill_one(queue, "body");
  CHECK(setting.counts(queue).dying == 0);
  CHECK(setting.node->replicas()[0].messages.empty());
}

TEST_CASE("a queue is its own dead letter queue") {
  Setting setting;
  auto queue = setting.declare("q", Setting::dying_to("q"));
  setting.publish(queue, "body");
  for (int round = 1; round <= 3; ++round) {
    auto delivery = setting.get(queue);
    REQUIRE(delivery);
    CHECK_FALSE(delivery->redelivered);
    setting.reject(*delivery);
    CHECK(setting.counts(queue).ready == 1);
    CHECK(setting.counts(queue).dying == 0);
  }
  CHECK_FALSE(setting.get(queue, true)->redelivered);
  CHECK_FALSE(setting.get(queue));
}

TEST_CASE("a message that is on disk when it dies is read for its dead letter") {
  NodeOptions options;
  options.memory_budget = 10'000;
  Setting setting(options);
  auto dead = setting.declare("dead");
  auto queue = setting.declare("q", Setting::dying_to("dead"));
  constexpr int count = 30;
  const std::string padding(1'000, 'a');
  for (int i = 0; i < count; ++i) setting.publish(queue, padding + std::to_string(i));
  std::vector<broker::Delivery> held;
  for (int i = 0; i < count; ++i) {
    auto delivery = setting.get(queue);
    REQUIRE(delivery);
    held.push_back(*delivery);
  }
  setting.reads = 0;
  for (broker::Delivery& delivery : held) {
    delivery.message = {};
    setting.reject(delivery);
  }
  CHECK(setting.reads > 0);
  CHECK(setting.counts(queue).dying == 0);
  CHECK(setting.counts(dead).ready == count);
  for (int i = 0; i < count; ++i)
    CHECK(setting.get(dead, true)->message.body() == padding + std::to_string(i));
}

TEST_CASE("when a queue has no dead letter exchange any more, what waits is dropped") {
  Setting setting;
  setting.add_member("rabbit@away");
  setting.declare("dead", {}, "rabbit@away");
  auto queue = setting.declare("q");
  catalog::Policy policy;
  policy.name = {"/", "p"};
  policy.pattern = "^q$";
  policy.definition = R"({"dead-letter-exchange":"","dead-letter-routing-key":"dead"})";
  setting.change(catalog::SetPolicy{policy});
  setting.change(catalog::NodesDown{{{"rabbit@away", {1}}}});
  setting.kill_one(queue, "body");
  CHECK(setting.counts(queue).dying == 1);
  setting.change(catalog::ClearPolicy{policy.name});
  CHECK(setting.counts(queue).dying == 0);
  CHECK(setting.node->replicas()[0].messages.empty());
}

TEST_CASE("a message that channels give back too often is a dead letter") {
  Setting setting;
  auto dead = setting.declare("dead");
  base::FieldTable arguments = Setting::dying_to("dead");
  arguments.add("x-delivery-limit", std::int32_t{1});
  auto queue = setting.declare("q", arguments);
  setting.publish(queue, "body");
  for (int round = 1; round <= 2; ++round) {
    REQUIRE(setting.get(queue));
    setting.node->close_channel(setting.channel);
    setting.channel = setting.node->open_channel(setting);
    setting.turn();
  }
  CHECK_FALSE(setting.get(queue));
  CHECK(setting.counts(queue).dying == 0);
  auto letter = setting.get(dead);
  REQUIRE(letter);
  CHECK_FALSE(letter->redelivered);
  CHECK(*headers_of(*letter).find("x-first-death-reason") == base::FieldValue("delivery_limit"));
}
