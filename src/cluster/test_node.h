#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "cluster/node.h"
#include "storage/memory_disk.h"

namespace warren::cluster {

/// For tests: one node over a disk in memory, and its only client, which hears nothing. Other
/// members are names only.
struct TestNode : base::Clock, broker::ChannelEvents {
  explicit TestNode(NodeOptions options = {}) {
    options.name = "rabbit@test";
    options.first_user.name = "guest";
    auto started = Node::start(options, disk, base::Random(1), *this);
    REQUIRE(started.has_value());
    node = std::move(*started);
    disk.set_events(&disk_done);
    turn();
    REQUIRE(node->phase() == NodePhase::running);
    channel = node->open_channel(*this);
  }

  base::Time now() const override { return time; }
  base::WallTime wall_time() const override {
    return base::WallTime(std::chrono::floor<std::chrono::milliseconds>(
        std::chrono::years(50) + now().time_since_epoch()));
  }
  void turn() {
    for (int i = 0; i < 30; ++i) {
      if (node->deadline() <= time) {
        ++ticks;
        node->tick();
      }
      node->end_turn();
      if (!disk_stands) disk.run_all();
    }
  }
  /// Time passes; the node is woken for its deadlines only.
  void pass(base::Duration duration) {
    const base::Time end = time + duration;
    while (node->deadline() < end) {
      time = std::max(time, node->deadline());
      turn();
    }
    time = end;
  }
  broker::RequestId next_request() { return {++requests}; }
  void change(const catalog::Command& command) {
    node->change(channel, next_request(), command);
    turn();
  }
  /// Another member, which runs, and of which nothing is heard.
  void add_member(const catalog::NodeName& name) {
    change(catalog::AddNode{name, catalog::NodeKind::ram, "uuid"});
    change(catalog::NodeUp{name, {1}});
  }
  catalog::QueueId declare(const std::string& name, base::FieldTable arguments = {},
                           const catalog::NodeName& leader = "rabbit@test") {
    catalog::DeclareQueue command;
    command.queue.name = {"/", name};
    command.queue.durable = true;
    command.queue.leader = leader;
    command.queue.arguments = std::move(arguments);
    change(command);
    const catalog::Queue* queue = node->catalog().find_queue(command.queue.name);
    REQUIRE(queue);
    return queue->id;
  }

  struct DiskDone final : storage::DiskEvents {
    explicit DiskDone(TestNode& to) : to(to) {}
    void on_disk_done(storage::DiskToken token, base::Result<> result) override {
      to.node->on_disk_done(token, std::move(result));
    }
    void on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) override {
      ++to.reads;
      to.node->on_disk_read(token, std::move(result));
    }
    TestNode& to;
  };

  base::Time time{std::chrono::hours(1)};
  storage::MemoryDisk disk;
  DiskDone disk_done{*this};
  std::unique_ptr<Node> node;
  broker::ChannelId channel;
  std::uint64_t requests = 0, reads = 0, ticks = 0;
  bool disk_stands = false;  ///< syncs and reads are not answered
};

/// For tests: the client remembers what it got, and when time has passed the node is woken once
/// more.
struct GettingNode : TestNode {
  using TestNode::TestNode;

  void pass(base::Duration duration) {
    TestNode::pass(duration);
    turn();
  }
  void publish(const broker::Message& message, catalog::QueueId to) {
    node->publish(channel, {++published}, message, {{to}});
    turn();
  }
  std::optional<broker::Delivery> get(catalog::QueueId queue, bool no_ack = false) {
    got.reset();
    node->get(channel, next_request(), queue, no_ack);
    turn();
    return got;
  }
  broker::QueueCounts counts(catalog::QueueId queue) const {
    for (const QueueStatus& status : node->led_queues())
      if (status.queue == queue) return status.counts;
    return {};
  }

  void on_got(broker::RequestId, base::Result<std::optional<broker::Delivery>> delivery,
              std::uint64_t) override {
    if (delivery) got = *delivery;
  }

  std::uint64_t published = 0;
  std::optional<broker::Delivery> got;
};

}  // namespace warren::cluster
