#include <doctest/doctest.h>

#include "cluster/producers.h"
#include "cluster/queue_entry.h"

using namespace warren::cluster;

namespace {

MessageIndex at(std::uint64_t index) {
  return {index};
}
EpochStart from(std::uint64_t epoch, std::uint64_t start) {
  return {Epoch{epoch}, at(start)};
}

}  // namespace

TEST_CASE("two logs of one epoch agree up to the end of the shorter") {
  CHECK(find_agreement({from(1, 1)}, at(10), {from(1, 1)}, at(7)) == at(7));
}

TEST_CASE("entries that an old leader ordered alone are not agreed on") {
  // Both took 1..5 in epoch 1. One went on under epoch 1, the other under its successor's epoch 2.
  EpochHistory old_leader{from(1, 1)};
  EpochHistory successor{from(1, 1), from(2, 6)};
  CHECK(find_agreement(successor, at(9), old_leader, at(8)) == at(5));
}

TEST_CASE("an epoch that the leader never saw ends the agreement before it") {
  EpochHistory leader{from(1, 1), from(4, 7)};
  EpochHistory follower{from(1, 1), from(3, 5)};
  CHECK(find_agreement(leader, at(9), follower, at(8)) == at(4));
}

TEST_CASE("what the leader lost with its power and a follower has committed is not agreed on") {
  // Settlements need no sync: the follower committed 13 and 14, the leader came back with 12.
  EpochHistory leader{from(1, 1), from(3, 13)};
  EpochHistory follower{from(1, 1)};
  CHECK(find_agreement(leader, at(20), follower, at(19)) == at(12));
  CHECK(find_agreement(follower, at(19), leader, at(20)) == at(12));
}

TEST_CASE("logs without an epoch in common agree on nothing") {
  CHECK(find_agreement({from(2, 5)}, at(9), {from(1, 1)}, at(4)) == at(0));
  CHECK(find_agreement({from(2, 5), from(3, 8)}, at(9), {from(2, 8)}, at(9)) == at(0));
}

TEST_CASE("of a history that is long only the end is known") {
  CHECK(find_agreement({from(5, 100)}, at(120), {from(5, 100)}, at(110)) == at(110));
  CHECK(find_agreement({}, at(0), {}, at(0)) == at(0));
}

TEST_CASE("a publish that comes again after a failover is recognised") {
  Producers producers;
  warren::broker::ChannelId one{1}, other{2};
  producers.note(one, {5});
  CHECK(producers.taken_up_to(one).value >= 5);
  CHECK(producers.taken_up_to(one).value >= 4);
  CHECK(producers.taken_up_to(one).value < 6);
  CHECK(producers.taken_up_to(other).value < 1);
  Producers copy;
  copy.assign(producers.marks(), producers.refusals());
  CHECK(copy.taken_up_to(one).value >= 5);
}

TEST_CASE("the longest silent producers are forgotten first") {
  Producers producers;
  for (std::uint64_t id = 1; id <= Producers::capacity; ++id) producers.note({id}, {1});
  producers.note({1}, {2});
  producers.note({Producers::capacity + 1}, {1});
  CHECK(producers.taken_up_to({1}).value >= 2);
  CHECK(producers.taken_up_to({2}).value < 1);
  CHECK(producers.marks().size() == Producers::capacity);
}
