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
