#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <string>

#include "counters/allocations.h"
#include "counters/broker.h"
#include "counters/socket_broker.h"

using namespace warren::counters;

namespace {

struct Cost {
  double allocations = 0;       ///< of a message
  double turn_allocations = 0;  ///< of a turn, one for each message left out
  double disk_bytes = 0;        ///< of a message
  std::uint64_t writes = 0;
  std::uint64_t syncs = 0;
};

Cost measure(Broker& broker, int messages, int turns) {
  // Blocks that are used again and again grow to their size first.
  for (int i = 0; i < 20; ++i) broker.run_turn();
  std::uint64_t allocated = allocations(), bytes = broker.disk_bytes();
  std::uint64_t delivered = broker.delivered();
  auto before = broker.disk().counts();
  for (int i = 0; i < turns; ++i) broker.run_turn();
  Cost cost;
  double all = static_cast<double>(allocations() - allocated);
  double sent = static_cast<double>(messages) * turns;
  CHECK(broker.delivered() - delivered == static_cast<std::uint64_t>(sent));
  cost.allocations = all / sent;
  cost.turn_allocations = (all - sent) / turns;
  cost.disk_bytes = static_cast<double>(broker.disk_bytes() - bytes) / sent;
  cost.writes = broker.disk().counts().writes - before.writes;
  cost.syncs = broker.disk().counts().syncs - before.syncs;
  MESSAGE("allocations of a message " << cost.allocations << ", of a turn "
                                      << cost.turn_allocations << ", bytes on disk "
                                      << cost.disk_bytes << ", writes " << cost.writes
                                      << ", syncs " << cost.syncs);
  return cost;
}

std::filesystem::path node_directory() {
  return std::filesystem::temp_directory_path() / ("warren-counters-" + std::to_string(::getpid()));
}

/// What each of many clients holds that have one channel and say nothing; the few octets that the
/// client's end keeps in this program are counted in.
std::uint64_t measure_idle_octets() {
  constexpr std::uint64_t idle = 200;
  const auto directory = node_directory();
  std::uint64_t held = 0;
  {
    SocketBroker broker(directory, {});
    // What the first connections bring along is not what each one costs.
    for (int i = 0; i < 20; ++i) broker.add_idle_client();
    const std::uint64_t before = held_octets();
    for (std::uint64_t i = 0; i < idle; ++i) broker.add_idle_client();
    held = (held_octets() - before) / idle;
  }
  std::filesystem::remove_all(directory);
  MESSAGE("octets of an idle connection " << held);
  return held;
}

/// Of 1,000 messages, in batches of 500.
SystemCalls measure_calls(const Load& load) {
  const auto directory = node_directory();
  SystemCalls calls;
  {
    SocketBroker broker(directory, load);
    broker.run(20);
    constexpr int thousands = 20;
    calls = broker.run(2 * thousands);
    for (auto* count : {&calls.reads, &calls.sends, &calls.waits, &calls.watches,
                        &calls.disk_writes, &calls.disk_syncs})
      *count = (*count + thousands - 1) / thousands;
  }
  std::filesystem::remove_all(directory);
  MESSAGE("for 1,000 messages: reads " << calls.reads << ", sends " << calls.sends << ", waits "
                                       << calls.waits << ", watches " << calls.watches
                                       << ", disk writes " << calls.disk_writes << ", syncs "
                                       << calls.disk_syncs);
  return calls;
}

}  // namespace

TEST_CASE("a transient message that is consumed at once costs its own block and no write") {
  Broker broker({.messages = 1000});
  Cost cost = measure(broker, 1000, 50);
  CHECK(cost.turn_allocations < 90);
  CHECK(cost.writes == 0);
}

TEST_CASE("a confirmed message is written once, and a turn's messages share a sync") {
  Broker broker({.is_persistent = true, .is_acked = true, .body_bytes = 100, .messages = 1000});
  Cost cost = measure(broker, 1000, 50);
  CHECK(broker.confirmed() == 70'000);
  CHECK(cost.turn_allocations < 125);
  CHECK(cost.writes <= 100);
  CHECK(cost.syncs == 50);
  CHECK(cost.disk_bytes < 100 + 65);
}

TEST_CASE("an idle connection with one channel holds little memory") {
  CHECK(measure_idle_octets() < 3'400);
}

// A batch is a turn, or two where the system splits it or a timer comes in between.
TEST_CASE("a batch of transient messages is one read and one send") {
  SystemCalls calls = measure_calls({.messages = 500});
  CHECK(calls.reads <= 3);
  CHECK(calls.sends <= 3);
  CHECK(calls.waits <= 7);
  CHECK(calls.watches <= 3);
  CHECK(calls.disk_writes <= 1);  // what the log notes after a quiet second
  CHECK(calls.disk_syncs == 0);
}

TEST_CASE("a batch of confirmed messages is one sync, and what it says goes out together") {
  SystemCalls calls =
      measure_calls({.is_persistent = true, .is_acked = true, .body_bytes = 12, .messages = 500});
  CHECK(calls.reads <= 5);
  CHECK(calls.sends <= 5);
  CHECK(calls.waits <= 12);
  CHECK(calls.watches <= 10);
  CHECK(calls.disk_writes <= 4);
  CHECK(calls.disk_syncs <= 2);
}
