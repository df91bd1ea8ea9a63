#include "session/confirm.h"

#include <doctest/doctest.h>

#include "session/wire_text.h"

using namespace warren;
using session::amqp091::Confirms;

namespace {

std::vector<broker::PublishSeq> seqs(std::initializer_list<std::uint64_t> values) {
  std::vector<broker::PublishSeq> result;
  for (std::uint64_t value : values) result.push_back({value});
  return result;
}

std::vector<std::string> flush(Confirms& confirms) {
  base::Bytes out;
  confirms.flush(out, 1);
  return session::lines_of(out);
}

Confirms with_publishes(int count) {
  Confirms confirms;
  confirms.select({});
  for (int i = 0; i < count; ++i) confirms.add();
  return confirms;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("one confirm is written without multiple") {
  Confirms confirms = with_publishes(3);
  confirms.settle(seqs({1}), false);
  CHECK(flush(confirms) == Lines{"1 basic.ack tag=1"});
  CHECK(confirms.outstanding() == 2);
  CHECK(flush(confirms).empty());
}

TEST_CASE("confirms out of order: one for all up to the first outstanding, then singles") {
  Confirms confirms = with_publishes(9);
  confirms.settle(seqs({7, 1, 3, 2, 5}), false);
  CHECK(flush(confirms) ==
        Lines{"1 basic.ack tag=3 multiple", "1 basic.ack tag=5", "1 basic.ack tag=7"});
  confirms.settle(seqs({4, 6}), false);
  CHECK(flush(confirms) == Lines{"1 basic.ack tag=6 multiple"});
  confirms.settle(seqs({9}), false);
  CHECK(flush(confirms) == Lines{"1 basic.ack tag=9"});
  CHECK(confirms.outstanding() == 1);
}

TEST_CASE("rejected publishes are told before a multiple ack can cover them") {
  Confirms confirms = with_publishes(4);
  confirms.settle(seqs({2}), true);
  confirms.settle(seqs({1, 3}), false);
  CHECK(flush(confirms) == Lines{"1 basic.nack tag=2", "1 basic.ack tag=3 multiple"});
}

TEST_CASE("nothing outstanding is covered by a multiple ack") {
  Confirms confirms = with_publishes(3);
  confirms.settle(seqs({2, 3}), false);
  CHECK(flush(confirms) == Lines{"1 basic.ack tag=2", "1 basic.ack tag=3"});
}

TEST_CASE("repeats, unknown publishes and those from before select are passed over") {
  Confirms confirms;
  confirms.select({10});
  confirms.add();
  confirms.settle(seqs({9, 10, 11, 11, 12}), false);
  CHECK(flush(confirms) == Lines{"1 basic.ack tag=1"});
  CHECK(confirms.outstanding() == 0);
}
