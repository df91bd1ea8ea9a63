#include "cluster/test_led_queue.h"

using namespace warren;
using namespace warren::cluster;

namespace {

using Numbers = std::vector<std::uint64_t>;

base::FieldTable rejecting(std::int32_t length) {
  return {{"x-max-length", length}, {"x-overflow", "reject-publish"}};
}

Numbers indexes(const LedQueue& queue) {
  Numbers indexes;
  queue.replica->queue().for_each_message(
      MessageIndex{}, [&](MessageIndex index, const broker::Message&) {
        indexes.push_back(index.value);
        return true;
      });
  return indexes;
}

}  // namespace

TEST_CASE("the oldest go when there are too many, and all were confirmed") {
  LedQueue queue({{"x-max-length", std::int32_t{2}}});
  queue.publish(1, 5);
  queue.advance();
  CHECK(queue.confirmed() == Numbers{1, 2, 3, 4, 5});
  CHECK(indexes(queue) == Numbers{4, 5});
}

TEST_CASE("octets of bodies count, and a body that is too large leaves nothing") {
  LedQueue queue({{"x-max-length-bytes", std::int32_t{10}}});
  queue.publish(1, 3, "12345");
  queue.advance();
  CHECK(indexes(queue) == Numbers{2, 3});
  queue.publish(4, 4, "12345678901");
  queue.advance();
  CHECK(queue.ready() == 0);
}

TEST_CASE("consumers that wait get what a full queue has no room for") {
  LedQueue queue({{"x-max-length", std::int32_t{0}}});
  queue.consume(3);
  queue.publish(1, 5);
  queue.advance();
  CHECK(queue.delivered() == Numbers{1, 2, 3});
  CHECK(queue.ready() == 0);
}

TEST_CASE("a policy cuts a queue that is there, and the operator's cuts further") {
  LedQueue queue;
  queue.publish(1, 5);
  queue.advance();
  auto policy = [](const char* definition) {
    return catalog::Policy{{"/", "p"}, "^q", definition, 0, catalog::AppliesTo::all};
  };
  queue.change(catalog::SetPolicy{policy(R"({"max-length":3})")});
  CHECK(indexes(queue) == Numbers{3, 4, 5});
  queue.change(catalog::SetOperatorPolicy{policy(R"({"max-length":1})")});
  CHECK(indexes(queue) == Numbers{5});
  queue.change(catalog::ClearOperatorPolicy{{"/", "p"}});
  queue.change(catalog::ClearPolicy{{"/", "p"}});
  queue.publish(6, 9);
  queue.advance();
  CHECK(queue.ready() == 5);
}

TEST_CASE("a queue that refuses says so, and takes again when there is room") {
  LedQueue queue(rejecting(2));
  queue.publish(1, 4);
  queue.advance();
  CHECK(queue.confirmed() == Numbers{1, 2});
  CHECK(queue.rejected() == Numbers{3, 4});
  queue.consume(1);
  queue.publish(5, 6);
  queue.advance();
  CHECK(queue.rejected() == Numbers{6});
  CHECK(queue.confirmed() == Numbers{5});
}

TEST_CASE("a queue that refuses gives to consumers that wait first") {
  LedQueue queue(rejecting(1));
  queue.consume(3);
  queue.publish(1, 5);
  queue.advance();
  CHECK(queue.delivered().size() == 3);
  CHECK(queue.confirmed() == Numbers{1, 2, 3, 4});
  CHECK(queue.rejected() == Numbers{5});
}

TEST_CASE("what was refused is not confirmed by the next leader") {
  LedQueue queue(rejecting(2));
  queue.publish(1, 3);
  queue.consume(1);
  queue.publish(4, 4);
  queue.advance();
  CHECK(queue.confirmed() == Numbers{1, 2, 4});
  CHECK(queue.rejected() == Numbers{3});
  queue.lead();
  // The channel has heard nothing of that.
  queue.publish(1, 5);
  queue.advance();
  Numbers rejected = queue.rejected(), confirmed = queue.confirmed();
  CHECK(std::ranges::count(rejected, 3) == 1);
  CHECK(std::ranges::count(confirmed, 3) == 0);
  CHECK(std::ranges::count(confirmed, 4) == 1);
  CHECK(rejected.size() + confirmed.size() == 5);
}

TEST_CASE("the next leader may take what was refused when nothing was taken after it") {
  LedQueue queue(rejecting(1));
  queue.publish(1, 2);
  queue.advance();
  CHECK(queue.rejected() == Numbers{2});
  std::uint64_t entries = queue.replica->last().value;
  queue.lead();
  queue.consume(1);
  queue.publish(2, 2);
  queue.advance();
  CHECK(queue.confirmed() == Numbers{1, 2});
  // The refusal cost no entry: enqueued and settled.
  CHECK(queue.replica->last().value == entries + 2);
}

TEST_CASE("refusals are remembered with their producers") {
  Producers producers;
  producers.note(ChannelId{1}, PublishSeq{5});
  producers.note_refused(ChannelId{1}, PublishSeq{4});
  producers.note_refused(ChannelId{1}, PublishSeq{2});
  producers.note_refused(ChannelId{2}, PublishSeq{7});
  CHECK(producers.refused_up_to(ChannelId{1}) == PublishSeq{4});
  CHECK(producers.taken_up_to(ChannelId{1}) == PublishSeq{5});
  CHECK(producers.taken_up_to(ChannelId{2}) == PublishSeq{0});
  Producers copy;
  copy.assign(producers.marks(), producers.refusals());
  CHECK(copy.refused_up_to(ChannelId{2}) == PublishSeq{7});
  for (std::uint64_t id = 10; id < 10 + Producers::capacity; ++id)
    copy.note(ChannelId{id}, PublishSeq{1});
  CHECK(copy.refusals().empty());
}
