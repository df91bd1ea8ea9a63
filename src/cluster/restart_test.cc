#include <doctest/doctest.h>

#include "cluster/facts.h"
#include "cluster/test_node.h"
#include "storage/recovery.h"

using namespace warren;
using namespace warren::cluster;

namespace {

/// A node that stops and dies, with one queue.
struct Restarted final : TestNode {
  explicit Restarted(base::FieldTable arguments = {}) {
    queue = declare("q", std::move(arguments));
  }

  void publish(std::string_view body, std::uint8_t priority = 0) {
    node->publish(channel, {++published},
                  broker::Message::make({"", "q", "", body, true, priority}), {{queue}});
    turn();
  }
  std::optional<broker::Delivery> get() {
    got.reset();
    node->get(channel, next_request(), queue, false);
    turn();
    return got;
  }
  void on_got(broker::RequestId, base::Result<std::optional<broker::Delivery>> delivery,
              std::uint64_t) override {
    REQUIRE(delivery.has_value());
    got = std::move(*delivery);
  }

  void stop() {
    node->request_stop();
    turn();
    REQUIRE(node->phase() == NodePhase::stopped);
    start();
  }
  void die() {
    disk.kill(random);
    start();
  }
  void start() {
    node.reset();
    NodeOptions options;
    options.name = "rabbit@test";
    options.memory_budget = memory_budget;
    auto started = Node::start(options, disk, base::Random(++runs), *this);
    REQUIRE(started.has_value());
    node = std::move(*started);
    turn();
    REQUIRE(node->phase() == NodePhase::running);
    channel = node->open_channel(*this);
    published = 0;
  }
  /// The bodies of what is there, those that count as delivered before marked.
  std::string all() {
    std::string bodies;
    while (auto delivery = get())
      bodies += std::string(delivery->message.body()) + (delivery->redelivered ? "! " : " ");
    return bodies;
  }

  catalog::QueueId queue;
  std::uint64_t published = 0, runs = 1, memory_budget = 96u << 20;
  base::Random random{1};
  std::optional<broker::Delivery> got;
};

}  // namespace

TEST_CASE("after an orderly stop only what was delivered counts as redelivered") {
  Restarted at;
  for (const char* body : {"a", "b", "c"}) at.publish(body);
  CHECK(at.get()->message.body() == "a");
  at.stop();
  CHECK(at.get()->redelivered);
  CHECK_FALSE(at.get()->redelivered);
  SUBCASE("again and again") {
    at.stop();
    at.publish("d");
    at.stop();
    CHECK(at.all() == "a! b! c d ");
  }
  SUBCASE("and all of it after a death, also when a stop follows") {
    at.die();
    at.stop();
    at.publish("d");
    CHECK(at.all() == "a! b! c! d ");
  }
}

TEST_CASE("what a stop left on record about deliveries does not outlive the next start") {
  Restarted at;
  at.publish("a");
  at.stop();
  // The delivery is on no disk when the process dies.
  at.disk_stands = true;
  at.node->get(at.channel, at.next_request(), at.queue, false);
  at.node->end_turn();
  CHECK(at.got.has_value());
  at.disk_stands = false;
  at.disk.crash(at.random);
  at.start();
  CHECK(at.all() == "a! ");
}

TEST_CASE("messages that leave memory while the node starts keep their priorities") {
  Restarted at({{"x-max-priority", std::int32_t{2}}});
  const std::string padding(10'000, '.');
  for (int i = 0; i < 10; ++i) at.publish("a" + padding);
  for (int i = 0; i < 10; ++i) at.publish("b" + padding, 2);
  at.memory_budget = 20'000;
  at.stop();
  std::string order;
  while (auto delivery = at.get()) order += delivery->message.body().front();
  CHECK(order == "bbbbbbbbbbaaaaaaaaaa");
}

TEST_CASE("a node that can't read what was written of it does not begin anew") {
  struct Events final : storage::DiskEvents {
    void on_disk_done(storage::DiskToken token, base::Result<> result) override {
      log->on_disk_done(token, std::move(result));
    }
    storage::Log* log = nullptr;
  } events;
  storage::MemoryDisk disk;
  auto recovered = storage::recover(disk, [](auto&&...) {});
  REQUIRE(recovered.has_value());
  storage::Log log(disk, {}, *recovered);
  events.log = &log;
  disk.set_events(&events);
  log.append(facts_stream, 1, "as another version has it");
  log.flush(true);
  disk.run_all();
  auto facts = Node::read_facts(disk);
  REQUIRE_FALSE(facts.has_value());
  CHECK(facts.error().code == base::ErrorCode::corrupt);
}
