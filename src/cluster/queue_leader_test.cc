#include <algorithm>

#include "cluster/test_led_queue.h"

using namespace warren;
using namespace warren::cluster;

TEST_CASE("a get comes after the consumers that were there before it") {
  LedQueue queue;
  queue.consume(10);
  queue.publish(1, 1);
  queue.ask(GetFrom{RequestId{2}, true});
  queue.advance();
  CHECK(queue.delivered() == std::vector<std::uint64_t>{1});
  auto got = queue.take<GotFrom>();
  REQUIRE(got.size() == 1);
  CHECK_FALSE(got[0].delivery.has_value());
}

TEST_CASE("a get that came before a consumer comes first") {
  LedQueue queue;
  queue.publish(1, 2);
  queue.ask(GetFrom{RequestId{2}, true});
  queue.consume(10);
  queue.advance();
  auto got = queue.take<GotFrom>();
  REQUIRE(got.size() == 1);
  REQUIRE(got[0].delivery.has_value());
  CHECK(got[0].delivery->index == MessageIndex{1});
  CHECK(queue.delivered() == std::vector<std::uint64_t>{2});
}

TEST_CASE("who ends or joins gets what came before, and what came after") {
  LedQueue queue;
  queue.consume(10);
  queue.publish(1, 2);
  queue.ask(UnsubscribeFrom{RequestId{3}, "c"});
  queue.publish(3, 3);
  queue.ask(CountFrom{RequestId{4}});
  queue.advance();
  CHECK(queue.delivered() == std::vector<std::uint64_t>{1, 2});
  auto replies = queue.take<RepliedBy>();
  REQUIRE(replies.size() == 3);
  CHECK(replies.back().messages == 1);
}

TEST_CASE("a follower that left and came back empty does not count by what it had") {
  LedQueue queue;
  auto mirror = [&](const char* definition) {
    queue.change(catalog::SetPolicy{
        {{"/", "ha"}, "^", definition, 0, catalog::AppliesTo::all}});
  };
  auto asks_to_add = [&] {
    return std::ranges::any_of(std::exchange(queue.proposed, {}), [](const auto& command) {
      return std::holds_alternative<catalog::AddInSync>(command);
    });
  };
  queue.change(catalog::AddNode{"m@h", catalog::NodeKind::disc, "uuid"});
  queue.change(catalog::NodeUp{"m@h", {1}});
  mirror(R"({"ha-mode":"all"})");
  queue.lead();
  const Epoch epoch = queue.record().epoch;
  auto follow = [&] {
    queue.leader->on_follow("m@h", {queue.id, epoch, false, {}, {}});
    queue.advance();
    queue.leader->on_ack("m@h", {queue.id, epoch, queue.replica->last()});
  };
  queue.publish(1, 3);
  queue.advance();
  follow();
  mirror(R"({"ha-mode":"exactly","ha-params":1})");
  mirror(R"({"ha-mode":"all"})");
  CHECK(queue.record().epoch == epoch);
  CHECK(queue.record().replicas.size() == 2);
  CHECK_FALSE(asks_to_add());
  follow();
  queue.advance();
  CHECK(asks_to_add());
}
