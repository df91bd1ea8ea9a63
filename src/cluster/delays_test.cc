#include "cluster/delays.h"

#include <doctest/doctest.h>

#include "catalog/delaying.h"
#include "cluster/test_node.h"
#include "codec/amqp091_properties.h"

using namespace warren;
using namespace warren::cluster;
using namespace std::chrono_literals;
using base::FieldTable;
using base::FieldValue;
using codec::amqp091::Properties;

namespace {

NodeOptions with_memory(std::uint64_t budget) {
  NodeOptions options;
  options.memory_budget = budget;
  return options;
}

/// A node with an exchange "x" that delays.
struct DelayNode final : GettingNode {
  explicit DelayNode(const char* type = "direct", NodeOptions options = {})
      : GettingNode(std::move(options)) {
    exchange("x", "x-delayed-message", {{"x-delayed-type", FieldValue(type)}});
  }

  void exchange(const std::string& name, const std::string& type, FieldTable arguments = {}) {
    catalog::Exchange exchange;
    exchange.name = {"/", name};
    exchange.type = type;
    exchange.durable = true;
    exchange.arguments = std::move(arguments);
    change(catalog::DeclareExchange{exchange});
  }
  void bind(const std::string& queue, const std::string& key, const std::string& exchange = "x") {
    change(catalog::AddBinding{
        {{"/", exchange}, catalog::DestinationKind::queue, queue, key, {}}});
  }
  catalog::QueueId find(const std::string& name) const {
    return node->catalog().find_queue(catalog::ResourceName{"/", name})->id;
  }

  static broker::Message message(const std::string& body, Properties properties,
                                 const std::string& key = "k",
                                 const std::string& blind_key = "") {
    base::Bytes encoded;
    encode_properties(encoded, properties);
    broker::MessageParts parts{"x", key, encoded, body};
    parts.persistent = properties.delivery_mode == 2;
    parts.expiration_ms = codec::amqp091::read_expiration(properties.expiration);
    base::Bytes blind_keys;
    if (!blind_key.empty()) broker::add_blind_key(blind_keys, blind_key);
    parts.blind_keys = blind_keys;
    return broker::Message::make(parts);
  }
  static Properties delayed(std::int32_t delay_ms) {
    Properties properties;
    properties.headers = FieldTable{{"x-delay", FieldValue(delay_ms)}};
    return properties;
  }
  void delay(const std::string& body, std::int32_t delay_ms, const std::string& key = "k") {
    publish(message(body, delayed(delay_ms), key), find("amq.delayed.x"));
  }
  std::optional<broker::Message> take(catalog::QueueId queue) {
    auto delivery = get(queue, true);
    return delivery ? std::optional(delivery->message) : std::nullopt;
  }
  /// The bodies of all that is there.
  std::string drain(catalog::QueueId queue) {
    std::string bodies;
    while (auto message = take(queue)) bodies += std::string(message->body()) + " ";
    return bodies;
  }
  broker::QueueCounts counts(const std::string& name) const {
    return GettingNode::counts(find(name));
  }

  void on_confirmed(std::span<const PublishSeq> publishes) override {
    confirmed += publishes.size();
  }
  void on_reply(broker::RequestId, base::Result<broker::Reply> reply) override {
    refusal = reply ? "" : reply.error().text;
  }

  std::uint64_t confirmed = 0;
  std::string refusal;
};

Properties properties_of(const broker::Message& message) {
  auto properties = codec::amqp091::decode_properties(message.properties());
  REQUIRE(properties.has_value());
  return *properties;
}

}  // namespace

TEST_CASE("a delayed message comes when it is due, not before, and says how long it waited") {
  DelayNode at;
  auto queue = at.declare("q");
  at.bind("q", "k");
  at.delay("body", 5000);
  CHECK(at.confirmed == 1);
  CHECK(at.counts("amq.delayed.x").ready == 1);
  at.pass(4999ms);
  CHECK_FALSE(at.take(queue));
  at.pass(1ms);
  auto message = at.take(queue);
  REQUIRE(message);
  CHECK(message->body() == "body");
  CHECK(message->exchange() == "x");
  CHECK(message->routing_key() == "k");
  CHECK_FALSE(message->is_persistent());
  CHECK_FALSE(message->due_ms());
  CHECK(*properties_of(*message).headers->find("x-delay") == FieldValue(std::int32_t{-5000}));
  CHECK(at.counts("amq.delayed.x").ready == 0);
  CHECK(at.counts("amq.delayed.x").dying == 0);
}

TEST_CASE("delayed messages come in the order of their times, equal ones as they were published") {
  DelayNode at;
  auto queue = at.declare("q");
  at.bind("q", "k");
  for (auto [body, delay_ms] :
       {std::pair("5", 500), {"1", 100}, {"3", 300}, {"2", 200}, {"1b", 100}})
    at.delay(body, delay_ms);
  at.pass(150ms);
  CHECK(at.drain(queue) == "1 1b ");
  at.pass(1s);
  CHECK(at.drain(queue) == "2 3 5 ");
}

TEST_CASE("what is delayed is routed as the bindings are when it is due") {
  DelayNode at("topic");
  auto queue = at.declare("q");
  at.delay("a", 100, "a.b");
  at.delay("b", 2000, "a.b");
  at.delay("c", 300, "b.b");
  at.pass(1500ms);
  at.bind("q", "a.*");
  at.pass(1s);
  CHECK(at.drain(queue) == "b ");
  CHECK(at.counts("amq.delayed.x").ready == 0);
  CHECK(at.counts("amq.delayed.x").dying == 0);
}

TEST_CASE("what leads nowhere is looked at once more, as a binding may be about to be known") {
  DelayNode at;
  auto queue = at.declare("q");
  at.delay("a", 100, "k");
  at.pass(500ms);
  at.bind("q", "k");
  at.pass(1s);
  CHECK(at.drain(queue) == "a ");
}

TEST_CASE("what leads nowhere stays until its node has heard what the cluster agreed on") {
  DelayNode at;
  at.declare("q");
  at.delay("a", 100, "k");
  at.disk_stands = true;
  at.pass(500ms);
  at.delay("b", 100, "k");
  at.pass(10s);
  CHECK(at.counts("amq.delayed.x").dying == 2);
  at.disk_stands = false;
  at.disk.run_all();
  at.turn();
  at.bind("q", "k");
  at.pass(2s);
  CHECK(at.counts("q").ready == 2);
  CHECK(at.counts("amq.delayed.x").dying == 0);
}

TEST_CASE("an expiration counts from when a message is due, and persistence is as it was") {
  DelayNode at;
  auto queue = at.declare("q");
  at.bind("q", "k");
  Properties properties = DelayNode::delayed(5000);
  properties.expiration = "1000";
  properties.delivery_mode = 2;
  at.publish(DelayNode::message("body", properties), at.find("amq.delayed.x"));
  at.pass(5500ms);
  CHECK(at.counts("q").ready == 1);
  at.pass(600ms);
  CHECK(at.counts("q").ready == 0);
  at.publish(DelayNode::message("body", properties), at.find("amq.delayed.x"));
  at.pass(5500ms);
  auto message = at.take(queue);
  REQUIRE(message);
  CHECK(message->is_persistent());
  CHECK(message->expiration_ms() == 1000);
  CHECK(properties_of(*message).expiration == "1000");
}

TEST_CASE("a delayed message goes by the keys in CC and by its blind ones") {
  DelayNode at;
  auto open = at.declare("open"), hidden = at.declare("hidden");
  at.bind("open", "o");
  at.bind("hidden", "h");
  Properties properties = DelayNode::delayed(100);
  properties.headers->set("CC", base::FieldArray{FieldValue("o")});
  at.publish(DelayNode::message("body", properties, "k", "h"), at.find("amq.delayed.x"));
  at.pass(100ms);
  for (catalog::QueueId queue : {open, hidden}) {
    auto message = at.take(queue);
    REQUIRE(message);
    CHECK(properties_of(*message).headers->find("CC"));
    CHECK(broker::read_blind_keys(message->blind_keys()) == std::vector<std::string_view>{"h"});
  }
}

TEST_CASE("delayed messages that are on disk come in their order, too") {
  DelayNode at("direct", with_memory(10'000));
  auto queue = at.declare("q");
  at.bind("q", "k");
  constexpr int count = 60;
  const std::string padding(1'000, 'a');
  // The last are due first.
  for (int i = 0; i < count; ++i) at.delay(padding + std::to_string(i), 10'000 - 10 * i);
  at.pass(1s);
  CHECK(at.counts("amq.delayed.x").ready == count);
  at.pass(20s);
  CHECK(at.reads > 0);
  CHECK(at.counts("q").ready == count);
  for (int i = count - 1; i >= 0; --i) {
    auto message = at.take(queue);
    REQUIRE(message);
    CHECK(message->body() == padding + std::to_string(i));
  }
}

TEST_CASE("a node sleeps while many messages wait") {
  DelayNode at;
  at.declare("q");
  at.bind("q", "k");
  for (int i = 0; i < 500; ++i) at.delay("body", 3'600'000 + i);
  at.pass(1min);
  at.ticks = 0;
  at.pass(10min);
  const std::uint64_t with_messages = at.ticks;
  DelayNode empty;
  empty.pass(1min);
  empty.ticks = 0;
  empty.pass(10min);
  CHECK(with_messages <= empty.ticks + 20);
}

TEST_CASE("a dead letter waits at an exchange that delays") {
  DelayNode at;
  auto again = at.declare("again");
  at.bind("again", "k");
  auto queue = at.declare("q", {{"x-dead-letter-exchange", FieldValue("x")},
                              {"x-message-ttl", FieldValue(std::int32_t{50})}});
  at.publish(DelayNode::message("body", DelayNode::delayed(1000)), queue);
  at.pass(100ms);
  CHECK(at.counts("q").ready == 0);
  CHECK(at.counts("amq.delayed.x").ready == 1);
  CHECK_FALSE(at.take(again));
  at.pass(1s);
  auto message = at.take(again);
  REQUIRE(message);
  CHECK(properties_of(*message).headers->find("x-death"));
}

TEST_CASE("exchanges that remember messages remember dead letters and what was delayed") {
  DelayNode at("x-recent-history");
  at.exchange("h", "x-recent-history");
  auto dying = at.declare("dying", {{"x-dead-letter-exchange", FieldValue("h")},
                                  {"x-message-ttl", FieldValue(std::int32_t{50})}});
  at.publish(DelayNode::message("died", {}), dying);
  at.delay("waited", 100);
  at.pass(200ms);
  auto late = at.declare("late"), later = at.declare("later");
  at.bind("late", "", "h");
  at.bind("later", "", "x");
  CHECK(at.drain(late) == "died ");
  CHECK(at.drain(later) == "waited ");
}

TEST_CASE("a target that is down or full does not hold up the others") {
  DelayNode at("topic");
  at.add_member("rabbit@away");
  auto here = at.declare("here");
  at.declare("full", {{"x-max-length", FieldValue(std::int32_t{0})},
                    {"x-overflow", FieldValue("reject-publish")}});
  at.declare("away", {}, "rabbit@away");
  for (const char* name : {"here", "full", "away"}) {
    at.bind(name, name);
    at.bind(name, "all");
  }
  at.change(catalog::NodesDown{{{"rabbit@away", {1}}}});
  constexpr int many = 3000;
  for (int i = 0; i < many; ++i) at.delay("stuck", 10, i % 2 == 0 ? "away" : "full");
  at.delay("body", 20, "here");
  at.delay("to all", 30, "all");
  at.pass(5s);
  CHECK(at.drain(here) == "body to all ");
  const auto counts = at.counts("amq.delayed.x");
  CHECK(counts.ready + counts.dying == many + 1);
  at.change(catalog::DeleteQueue{at.find("away")});
  at.change(catalog::DeleteQueue{at.find("full")});
  at.pass(5s);
  CHECK(at.counts("amq.delayed.x").dying == 0);
}

TEST_CASE("clients neither consume nor purge nor delete what is delayed") {
  DelayNode at;
  const std::string text =
      "queue 'amq.delayed.x' in vhost '/' holds the delayed messages of an exchange";
  at.delay("body", 1000);
  const catalog::QueueId queue = at.find("amq.delayed.x");
  broker::Subscription subscription;
  subscription.consumer_tag = "c";
  at.node->subscribe(at.channel, at.next_request(), queue, subscription);
  at.turn();
  CHECK(at.refusal == text);
  at.refusal.clear();
  at.node->purge(at.channel, at.next_request(), queue);
  at.turn();
  CHECK(at.refusal == text);
  at.refusal.clear();
  at.node->delete_queue(at.channel, at.next_request(), queue, false, false);
  at.turn();
  CHECK(at.refusal == text);
  CHECK(at.counts("amq.delayed.x").ready == 1);
}

TEST_CASE("delayed messages go with their exchange") {
  DelayNode at;
  at.delay("body", 1000);
  at.change(catalog::DeleteExchange{{"/", "x"}});
  CHECK(at.node->replicas().empty());
  at.pass(2s);
}
