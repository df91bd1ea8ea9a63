#include <doctest/doctest.h>
#include <fmt/format.h>

#include <vector>

#include "cluster/test_node.h"

using namespace warren;
using namespace warren::cluster;

namespace {

constexpr std::uint64_t budget = 64'000;

NodeOptions with_budget() {
  NodeOptions options;
  options.memory_budget = budget;
  return options;
}

/// A node that may hold little in memory. Like the server's, it has a turn when something came in
/// or its deadline is reached, and only then.
struct SmallNode final : GettingNode {
  SmallNode() : GettingNode(with_budget()) {}

  void on_confirmed(std::span<const broker::PublishSeq> publishes) override {
    confirmed += publishes.size();
  }
  void on_delivery(std::string_view, const broker::Delivery& delivery) override {
    delivered.push_back(delivery);
  }
  void settle() {
    node->end_turn();
    while (disk.pending() > 0 || node->deadline() <= time) {
      disk.run_all();
      if (node->deadline() <= time) node->tick();
      node->end_turn();
    }
  }
  void publish(catalog::QueueId queue, std::size_t bytes) {
    const std::string body = fmt::format("{:{}}", ++published, bytes);
    node->publish(channel, {published}, broker::Message::make({"", "q", {}, body, true, 0}),
                  {{queue}});
  }
  void consume(catalog::QueueId queue, std::uint16_t prefetch) {
    broker::Subscription subscription;
    subscription.consumer_tag = "c";
    subscription.prefetch = prefetch;
    subscription.credit = UINT32_MAX;
    node->subscribe(channel, next_request(), queue, subscription);
    settle();
  }
  void answer(const broker::Delivery& delivery, broker::Outcome outcome) {
    node->settle(channel, delivery.queue, delivery.lease, {&delivery.index, 1}, outcome);
  }

  std::uint64_t confirmed = 0;
  std::vector<broker::Delivery> delivered;
};

}  // namespace

TEST_CASE("queues that are small each, and together much more than may be in memory") {
  SmallNode at;
  std::vector<catalog::QueueId> queues;
  for (int i = 0; i < 1'000; ++i) queues.push_back(at.declare(fmt::format("q{}", i)));
  for (catalog::QueueId queue : queues) at.publish(queue, 150);
  at.settle();
  CHECK(at.confirmed == at.published);
  for (catalog::QueueId queue : queues) CHECK(at.get(queue, true));
}

TEST_CASE("what was read for a consumer that takes its time holds back no confirms") {
  SmallNode at;
  auto queue = at.declare("q");
  for (int i = 0; i < 300; ++i) at.publish(queue, 1'000);
  at.settle();
  at.consume(queue, 1);
  REQUIRE(at.delivered.size() == 1);
  at.confirmed = 0;
  at.publish(queue, 1'000);
  at.settle();
  CHECK(at.confirmed == 1);
  for (std::uint64_t i = 0; i < at.published; ++i) {
    REQUIRE(at.delivered.size() == i + 1);
    CHECK(at.delivered[i].message.body() == fmt::format("{:{}}", i + 1, 1'000));
    at.answer(at.delivered[i], broker::Outcome::acknowledged);
    at.delivered[i].message = {};
    at.settle();
  }
}

TEST_CASE("messages that die together hold back no confirms of what is written of them") {
  SmallNode at;
  auto dead = at.declare("dead");
  auto queue = at.declare("q", {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key",
                                                                 "dead"}});
  for (int i = 0; i < 300; ++i) at.publish(queue, 1'000);
  at.settle();
  at.consume(queue, 0);
  REQUIRE(at.delivered.size() == at.published);
  for (broker::Delivery& delivery : at.delivered) at.answer(delivery, broker::Outcome::rejected);
  at.settle();
  CHECK(at.counts(queue).dying == 0);
  CHECK(at.counts(dead).ready == at.published);
}
