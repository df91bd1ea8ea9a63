#include <doctest/doctest.h>

#include "counters/allocations.h"
#include "counters/broker.h"

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

}  // namespace

TEST_CASE("a transient message that is consumed at once costs its own block and no write") {
  Broker broker({.messages = 1000});
  Cost cost = measure(broker, 1000, 50);
  CHECK(cost.turn_allocations < 150);
  CHECK(cost.writes == 0);
}

TEST_CASE("a confirmed message is written once, and a turn's messages share a sync") {
  Broker broker({.is_persistent = true, .is_acked = true, .body_bytes = 100, .messages = 1000});
  Cost cost = measure(broker, 1000, 50);
  CHECK(broker.confirmed() == 70'000);
  CHECK(cost.turn_allocations < 250);
  CHECK(cost.syncs == 50);
  CHECK(cost.disk_bytes < 100 + 120);
}
