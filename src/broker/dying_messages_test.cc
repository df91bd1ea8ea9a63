#include "broker/dying_messages.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "broker/queue.h"

using namespace warren;
using namespace warren::broker;

namespace {

using Indexes = std::vector<MessageIndex>;

constexpr ChannelId channel{7};

/// A queue that keeps its dead, with messages from 1 to `count`, of which the channel holds all.
struct KeepingQueue {
  Queue queue;
  Indexes gone;

  explicit KeepingQueue(std::uint64_t count) {
    queue.set_keeps_dead(true);
    for (std::uint64_t index = 1; index <= count; ++index)
      queue.put({index}, Message::make({.body = std::to_string(index)}), false);
    for (std::uint64_t index = 1; index <= count; ++index) REQUIRE(queue.get(channel, false, {99}));
  }
  void reject(const Indexes& messages) {
    queue.settle(channel, messages, Outcome::rejected, gone);
  }
  Indexes messages() const {
    Indexes found;
    queue.for_each_message({}, [&](MessageIndex index, const Message&) {
      found.push_back(index);
      return true;
    });
    return found;
  }
  /// The dying in their order, which it passes.
  Indexes pass_all() {
    Indexes passed;
    while (auto dying = queue.next_dying()) {
      CHECK(dying->reason == DeathReason::rejected);
      passed.push_back(dying->index);
      queue.pass_dying();
    }
    return passed;
  }
};

}  // namespace

TEST_CASE("a queue that does not keep its dead lets them go") {
  KeepingQueue kept(2);
  kept.queue.set_keeps_dead(false);
  kept.reject({{2}, {1}});
  CHECK(kept.gone == Indexes{{2}, {1}});
  CHECK(kept.messages().empty());
  CHECK_FALSE(kept.queue.next_dying());
}

TEST_CASE("what died is in the queue until it is removed, and nobody gets it") {
  KeepingQueue kept(3);
  kept.reject({{1}, {2}});
  CHECK(kept.gone.empty());
  QueueCounts counts = kept.queue.counts();
  CHECK(counts.ready == 0);
  CHECK(counts.unacknowledged == 1);
  CHECK(counts.dying == 2);
  CHECK_FALSE(kept.queue.get(channel, true, {99}));
  CHECK(kept.messages() == Indexes{{1}, {2}, {3}});
  CHECK(kept.pass_all() == Indexes{{1}, {2}});
  CHECK(kept.messages() == Indexes{{1}, {2}, {3}});
  kept.queue.remove(Indexes{{1}});
  CHECK(kept.messages() == Indexes{{2}, {3}});
  CHECK(kept.queue.counts().dying == 1);
}

TEST_CASE("messages are dead in the order in which they died") {
  KeepingQueue kept(4);
  kept.reject({{3}});
  kept.reject({{4}, {1}});
  kept.queue.remove(Indexes{{4}});
  CHECK(kept.pass_all() == Indexes{{3}, {1}});
  kept.reject({{2}});
  kept.queue.die_again({3}, DeathReason::rejected);
  CHECK(kept.pass_all() == Indexes{{2}, {3}});
}

TEST_CASE("a purge takes what is ready, not what is dying") {
  KeepingQueue kept(2);
  kept.reject({{1}});
  kept.queue.drop_channel(channel);
  kept.queue.purge(kept.gone);
  CHECK(kept.gone == Indexes{{2}});
  CHECK(kept.pass_all() == Indexes{{1}});
}

TEST_CASE("all that are dying are dropped together") {
  KeepingQueue kept(3);
  kept.reject({{2}, {1}});
  CHECK(kept.queue.next_dying()->index.value == 2);
  kept.queue.pass_dying();
  kept.queue.drop_dying(kept.gone);
  CHECK(kept.gone == Indexes{{1}, {2}});
  CHECK_FALSE(kept.queue.next_dying());
  CHECK(kept.messages() == Indexes{{3}});
}

TEST_CASE("what was dying is ready again at its place") {
  KeepingQueue kept(3);
  kept.reject({{1}, {3}});
  kept.queue.settle(channel, Indexes{{2}}, Outcome::requeued, kept.gone);
  kept.queue.revive_dying();
  CHECK_FALSE(kept.queue.next_dying());
  CHECK(kept.queue.counts().dying == 0);
  for (std::uint64_t index = 1; index <= 3; ++index)
    CHECK(kept.queue.get(channel, true, {99})->index.value == index);
}

TEST_CASE("dying messages go to disk and come back") {
  KeepingQueue kept(2);
  kept.reject({{1}, {2}});
  std::uint64_t bytes = kept.queue.resident_bytes();
  CHECK(bytes > 0);
  kept.queue.page_out({1}, {1});
  CHECK(kept.queue.resident_bytes() < bytes);
  CHECK_FALSE(kept.queue.next_dying()->message);
  std::vector<StoredBody> bodies{{{1}, Message::make({.body = "1"})}};
  kept.queue.page_in(bodies);
  CHECK(kept.queue.resident_bytes() == bytes);
  CHECK(kept.queue.next_dying()->message.body() == "1");
  kept.queue.evict({1}, {2});
  CHECK_FALSE(kept.queue.next_dying()->message);
}

TEST_CASE("what was given back too often dies") {
  for (bool keeps : {true, false}) {
    KeepingQueue kept(1);
    kept.queue.set_keeps_dead(keeps);
    kept.queue.set_delivery_limit(2);
    kept.queue.settle(channel, Indexes{{1}}, Outcome::requeued, kept.gone);
    REQUIRE(kept.queue.get(channel, false, {99}));
    // The client has not seen it.
    kept.queue.settle(channel, Indexes{{1}}, Outcome::returned, kept.gone);
    REQUIRE(kept.queue.get(channel, false, {99}));
    CHECK(kept.queue.drop_channel(channel).empty());
    REQUIRE(kept.queue.get(channel, false, {99}));
    Indexes gone = kept.queue.drop_channel(channel);
    CHECK(gone == (keeps ? Indexes{} : Indexes{{1}}));
    CHECK(kept.queue.counts().ready == 0);
    auto dying = kept.queue.next_dying();
    CHECK(dying.has_value() == keeps);
    if (dying) CHECK(dying->reason == DeathReason::delivery_limit);
  }
}

TEST_CASE("how often a message came back is forgotten with it") {
  KeepingQueue kept(3);
  kept.queue.set_keeps_dead(false);
  kept.queue.set_delivery_limit(1);
  kept.queue.drop_channel(channel);
  CHECK(kept.queue.get(channel, true, {99}));
  REQUIRE(kept.queue.get(channel, false, {99}));
  kept.queue.settle(channel, Indexes{{2}}, Outcome::acknowledged, kept.gone);
  kept.queue.purge(kept.gone);
  CHECK(kept.gone == Indexes{{2}, {3}});
  // Where indexes come again, as they never do, the count would show.
  for (std::uint64_t index = 1; index <= 3; ++index) {
    kept.queue.put({index}, Message::make({}), false);
    REQUIRE(kept.queue.get(channel, false, {99}));
  }
  CHECK(kept.queue.drop_channel(channel).empty());
}
