#include "cluster/test_led_queue.h"

using namespace warren;
using namespace warren::cluster;
using namespace std::chrono_literals;

namespace {

using Numbers = std::vector<std::uint64_t>;

base::FieldTable ttl(std::int64_t ms) {
  return {{"x-message-ttl", ms}};
}

catalog::Policy policy(const char* definition) {
  return {{"/", "p"}, "^q", definition, 0, catalog::AppliesTo::all};
}

/// What a get finds; empty for nothing.
std::optional<std::string> get(LedQueue& queue, bool no_ack = true) {
  queue.ask(GetFrom{RequestId{1}, no_ack});
  queue.advance();
  auto got = queue.take<GotFrom>();
  REQUIRE(got.size() == 1);
  if (!got[0].delivery) return {};
  return std::string(got[0].delivery->message.body());
}

void put(LedQueue& queue, std::uint64_t seq, const std::string& body,
         std::optional<std::uint64_t> expiration_ms = {}) {
  queue.publish(seq, seq, body, expiration_ms);
  queue.advance();
}

/// The message that is left goes at that time from now, and not before.
void check_end_in(LedQueue& queue, std::chrono::milliseconds time) {
  queue.pass(time - 1ms);
  CHECK(queue.ready() == 1);
  queue.pass(2ms);
  CHECK(queue.ready() == 0);
}

}  // namespace

TEST_CASE("messages go when the queue's TTL is over, each at its time") {
  LedQueue queue(ttl(1000));
  put(queue, 1, "a");
  queue.pass(400ms);
  put(queue, 2, "b");
  queue.pass(599ms);
  CHECK(queue.ready() == 2);
  queue.pass(2ms);
  CHECK(queue.ready() == 1);
  check_end_in(queue, 399ms);
  CHECK(queue.confirmed() == Numbers{1, 2});
}

TEST_CASE("a queue without TTL logs no time and has no alarm") {
  LedQueue queue;
  put(queue, 1, "a");
  CHECK(queue.replica->last() == MessageIndex{1});
  CHECK_FALSE(queue.replica->queue().has_times());
  CHECK(queue.alarm == base::never);
}

TEST_CASE("the shorter of the queue's time and the message's own counts") {
  LedQueue queue(ttl(1000));
  put(queue, 1, "own", 200);
  put(queue, 2, "queue's", 60'000);
  queue.pass(201ms);
  check_end_in(queue, 799ms);
}

TEST_CASE("what expired behind one that did not stays, and is not delivered") {
  LedQueue queue;
  put(queue, 1, "forever");
  put(queue, 2, "short", 200);
  put(queue, 3, "after");
  queue.pass(500ms);
  CHECK(queue.ready() == 3);
  CHECK(get(queue) == "forever");
  CHECK(get(queue) == "after");
  CHECK(get(queue) == std::nullopt);

  queue.consume(10);
  queue.advance();
  put(queue, 4, "delivered", 200);
  CHECK(queue.delivered().size() == 1);
}

TEST_CASE("gets that came together pass over what has expired") {
  LedQueue queue;
  put(queue, 1, "forever");
  put(queue, 2, "short", 200);
  put(queue, 3, "after");
  queue.pass(500ms);
  for (int i = 0; i < 3; ++i) queue.ask(GetFrom{RequestId{1}, true});
  queue.advance();
  Numbers lengths;
  for (const GotFrom& got : queue.take<GotFrom>())
    lengths.push_back(got.delivery ? got.delivery->message.body().size() : 0);
  CHECK(lengths == Numbers{7, 5, 0});
}

TEST_CASE("with TTL 0 a message goes to who waits for it, or nowhere") {
  LedQueue queue(ttl(0));
  put(queue, 1, "nobody");
  CHECK(get(queue) == std::nullopt);
  CHECK(queue.confirmed() == Numbers{1});
  queue.consume(2);
  queue.publish(2, 4);
  queue.advance();
  CHECK(queue.delivered().size() == 2);
  CHECK(queue.ready() == 0);
  CHECK(queue.confirmed() == Numbers{2, 3, 4});
}

TEST_CASE("a message that was given back is as old as ever") {
  LedQueue queue(ttl(1000));
  put(queue, 1, "a");
  CHECK(get(queue, false) == "a");
  queue.pass(900ms);
  queue.ask(SettleTo{broker::Outcome::requeued, {MessageIndex{2}}});
  queue.advance();
  check_end_in(queue, 100ms);
}

TEST_CASE("a TTL by policy counts for what comes after it") {
  LedQueue queue;
  put(queue, 1, "before");
  queue.change(catalog::SetPolicy{policy(R"({"message-ttl":100})")});
  put(queue, 2, "under");
  queue.change(catalog::ClearPolicy{{"/", "p"}});
  put(queue, 3, "after");
  queue.pass(10s);
  CHECK(queue.ready() == 3);
  CHECK(get(queue) == "before");
  CHECK(get(queue) == "after");
}

TEST_CASE("the age survives its leader") {
  LedQueue queue(ttl(1000));
  put(queue, 1, "a");
  queue.pass(600ms);
  queue.lead();
  queue.advance();
  check_end_in(queue, 400ms);
}

TEST_CASE("a clock that is set back lets messages stay, and one that is set forward ends them") {
  LedQueue queue(ttl(1000));
  put(queue, 1, "a");
  queue.times.passed -= 500ms;
  put(queue, 2, "b");
  queue.times.passed += 1600ms;
  queue.advance();
  CHECK(queue.ready() == 0);
}

TEST_CASE("consumers that are full get nothing that expired meanwhile") {
  LedQueue queue(ttl(100));
  queue.consume(1);
  queue.publish(1, 3);
  queue.advance();
  CHECK(queue.delivered().size() == 1);
  queue.times.passed += 200ms;
  queue.ask(GrantTo{"c", 10});
  queue.advance();
  CHECK(queue.delivered().empty());
  CHECK(queue.ready() == 0);
}

TEST_CASE("a queue that nobody uses goes, one that is used stays") {
  LedQueue queue({{"x-expires", std::int32_t{1000}}});
  queue.advance();
  queue.pass(900ms);
  queue.ask(CountFrom{RequestId{1}});
  queue.advance();
  queue.pass(900ms);
  CHECK(get(queue) == std::nullopt);
  queue.pass(900ms);
  CHECK(queue.proposed.empty());
  queue.consume(1);
  queue.advance();
  queue.pass(10s);
  put(queue, 1, "no use");
  queue.ask(UnsubscribeFrom{RequestId{2}, "c"});
  queue.advance();
  queue.pass(900ms);
  put(queue, 2, "no use");
  CHECK(queue.proposed.empty());
  queue.pass(101ms);
  REQUIRE(queue.proposed.size() == 1);
  CHECK(std::get<catalog::DeleteQueue>(queue.proposed[0]).queue == queue.id);
  queue.pass(10s);
  CHECK(queue.proposed.size() == 1);
}

TEST_CASE("an end that could not be agreed on is proposed again, and not at once") {
  for (bool auto_delete : {true, false}) {
    CAPTURE(auto_delete);
    LedQueue queue(auto_delete ? base::FieldTable{}
                               : base::FieldTable{{"x-expires", std::int32_t{1000}}},
                   auto_delete);
    queue.consume(1);
    queue.advance();
    queue.ask(UnsubscribeFrom{RequestId{2}, "c"});
    queue.advance();
    if (!auto_delete) queue.pass(1001ms);
    REQUIRE(queue.proposed.size() == 1);
    queue.pass(10s);
    CHECK(queue.proposed.size() == 1);
    queue.refuse_proposal();
    queue.pass(999ms);
    CHECK(queue.proposed.size() == 1);
    queue.pass(1ms);
    REQUIRE(queue.proposed.size() == 2);
    CHECK(std::get<catalog::DeleteQueue>(queue.proposed[1]).queue == queue.id);
    queue.refuse_proposal();
    queue.consume(1);
    queue.pass(10s);
    CHECK(queue.proposed.size() == 2);
  }
}

TEST_CASE("an expiry by policy begins when it is set") {
  LedQueue queue;
  queue.pass(10s);
  queue.change(catalog::SetPolicy{policy(R"({"expires":1000})")});
  queue.pass(999ms);
  CHECK(queue.proposed.empty());
  queue.pass(2ms);
  CHECK(queue.proposed.size() == 1);
}

TEST_CASE("times of any size are no trouble") {
  LedQueue queue({{"x-message-ttl", INT64_MAX}, {"x-expires", INT64_MAX}});
  put(queue, 1, "a", UINT64_MAX);
  queue.pass(10s);
  CHECK(queue.ready() == 1);
}
