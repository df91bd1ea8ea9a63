#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <new>

#include "broker/permission.h"
#include "broker/router.h"
#include "session/connection.h"
#include "session/fake_gateway.h"
#include "session/wire_text.h"

using namespace warren;
using session::amqp091::Connection;

namespace {
std::uint64_t allocations = 0;
}

// The whole test program counts.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

constexpr std::size_t batch = 1000;

/// Keeps publishes and counts settlements without memory of its own.
class CountingGateway final : public session::FakeGateway {
 public:
  CountingGateway() {
    publishes.reserve(batch);
    messages.reserve(batch);
  }
  broker::ChannelId open_channel(broker::ChannelEvents& to) override {
    events = &to;
    return FakeGateway::open_channel(to);
  }
  void publish(broker::ChannelId, broker::PublishSeq seq, const broker::Message& message,
               std::span<const catalog::QueueId> queues) override {
    CHECK(queues.size() == 1);
    publishes.push_back(seq);
    messages.push_back(message);
  }
  void settle(broker::ChannelId, catalog::QueueId, broker::Lease,
              std::span<const broker::MessageIndex> settled_now, broker::Outcome) override {
    settled += settled_now.size();
    ++settle_calls;
  }

  broker::ChannelEvents* events = nullptr;
  std::vector<broker::PublishSeq> publishes;
  std::vector<broker::Message> messages;
  std::uint64_t settled = 0;
  std::uint64_t settle_calls = 0;
};

/// One connection that publishes to itself, a thousand messages in each turn.
struct Path {
  explicit Path(const char* consume) {
    feed("AMQP" + std::string("\0\0\x09\x01", 4));
    for (std::string_view line :
         {"0 connection.start-ok mechanism=PLAIN response=\"\\0guest\\0guest\" locale=en_US",
          "0 connection.tune-ok channel_max=2047 frame_max=131072 heartbeat=60",
          "0 connection.open virtual_host=/", "1 channel.open", "1 queue.declare queue=q", consume})
      say(line);
    REQUIRE(connection.channels().at(0).consumer_count == 1);
  }

  void feed(const base::Bytes& bytes) { connection.feed(bytes, {}); }
  void say(std::string_view line) {
    feed(session::frame_of(line));
    gateway.run();
    end_turn();
  }
  void deliver() {
    for (const broker::Message& message : gateway.messages) {
      index = index.next();
      gateway.events->on_delivery("t", {catalog::QueueId{1}, broker::Lease{1}, index, false,
                                        message});
    }
    gateway.messages.clear();
  }
  void confirm() {
    gateway.events->on_confirmed(gateway.publishes);
    gateway.publishes.clear();
  }
  std::size_t end_turn() {
    connection.flush_turn();
    const std::size_t size = connection.output().size();
    connection.output().clear();
    connection.on_output_drained(0);
    return size;
  }

  CountingGateway gateway;
  broker::Router router{gateway.catalog()};
  broker::Authorizer authorizer{gateway.catalog()};
  session::amqp091::Environment environment{
      gateway, router, authorizer, [](std::size_t size) { return std::string(size, 'r'); }};
  Connection connection{
      environment, {"127.0.0.1", 1, "127.0.0.1", 2, true}, catalog::ConnectionId{1}, {}};
  broker::MessageIndex index;
};

base::Bytes publishes(std::string_view line) {
  base::Bytes bytes;
  for (std::size_t i = 0; i < batch; ++i) bytes += session::publish_frames(line);
  return bytes;
}

}  // namespace

TEST_CASE("a message costs its block and no other allocation on its way through a session") {
  Path path("1 basic.consume queue=q tag=t no_ack");
  const base::Bytes bytes = publishes("1 \"\" q hello-hello-hell");
  std::uint64_t before = 0;
  for (int turn = 0; turn < 13; ++turn) {
    if (turn == 3) before = allocations;
    path.feed(bytes);
    REQUIRE(path.gateway.messages.size() == batch);
    path.deliver();
    path.gateway.publishes.clear();
    CHECK(path.end_turn() > 60 * batch);
  }
  CHECK(allocations - before == 10 * batch);
}

TEST_CASE("confirms and acknowledgements of a turn cost a few allocations together") {
  Path path("1 basic.consume queue=q tag=t");
  path.say("1 confirm.select");
  const base::Bytes bytes = publishes("1 \"\" q hello-hello-hell delivery_mode=2");
  std::uint64_t counted = 0;
  std::uint64_t tag = 0;
  for (int turn = 0; turn < 13; ++turn) {
    base::Bytes acks;
    for (std::size_t i = 0; i < batch; ++i)
      acks += session::frame_of(fmt::format("1 basic.ack tag={}", ++tag));
    path.gateway.settle_calls = 0;
    const std::uint64_t before = allocations;
    path.feed(bytes);
    path.deliver();
    path.confirm();
    path.end_turn();
    path.feed(acks);
    if (turn >= 3) counted += allocations - before;
    CHECK(path.gateway.settle_calls == 1);
  }
  CHECK(path.gateway.settled == 13 * batch);
  CHECK(counted <= 10 * (batch + 16));
}
