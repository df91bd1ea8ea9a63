#include "session/unacknowledged.h"

#include <doctest/doctest.h>

#include <map>

#include "base/random.h"

using namespace warren;
using session::amqp091::Unacknowledged;
using session::amqp091::Unsettled;

namespace {

Unsettled delivery(std::uint64_t tag) {
  return {.tag = tag, .queue = {1}, .lease = {1}, .index = {tag}};
}

std::vector<std::uint64_t> take(Unacknowledged& deliveries, std::uint64_t tag, bool multiple) {
  std::vector<Unsettled> taken;
  const bool is_known = deliveries.take(tag, multiple, taken);
  if (!is_known) return {0};
  std::vector<std::uint64_t> tags;
  for (const Unsettled& one : taken) tags.push_back(one.tag);
  return tags;
}

using Tags = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("single and multiple acknowledgements") {
  Unacknowledged deliveries;
  for (std::uint64_t tag : {1, 2, 4, 5, 6}) deliveries.add(delivery(tag));
  CHECK(take(deliveries, 3, false) == Tags{0});
  CHECK(take(deliveries, 3, true) == Tags{0});
  CHECK(take(deliveries, 4, false) == Tags{4});
  CHECK(take(deliveries, 4, false) == Tags{0});
  CHECK(take(deliveries, 5, true) == Tags{1, 2, 5});
  CHECK(take(deliveries, 0, false) == Tags{0});
  CHECK(take(deliveries, 0, true) == Tags{6});
  CHECK(take(deliveries, 0, true) == Tags{});
  CHECK(deliveries.size() == 0);
}

TEST_CASE("what was put back is there in order") {
  Unacknowledged deliveries;
  for (std::uint64_t tag = 1; tag <= 6; ++tag) deliveries.add(delivery(tag));
  std::vector<Unsettled> taken;
  CHECK(deliveries.take(5, false, taken));
  CHECK(deliveries.take(3, true, taken));
  deliveries.put_back(taken);
  CHECK(deliveries.size() == 6);
  CHECK(take(deliveries, 0, true) == Tags{1, 2, 3, 4, 5, 6});
}

TEST_CASE("it agrees with a simple model") {
  base::Random random(7);
  Unacknowledged deliveries;
  std::map<std::uint64_t, bool> model;
  std::uint64_t last = 0;
  for (int round = 0; round < 20000; ++round) {
    if (random.chance(55)) {
      last += 1 + random.below(2);
      deliveries.add(delivery(last));
      model[last] = true;
      continue;
    }
    const std::uint64_t tag = random.below(last + 2);
    const bool multiple = random.chance(1);
    Tags expected;
    if (tag == 0 && multiple) {
      for (auto& [known, there] : model) expected.push_back(known);
    } else if (!model.contains(tag)) {
      expected = {0};
    } else if (multiple) {
      for (auto& [known, there] : model)
        if (known <= tag) expected.push_back(known);
    } else {
      expected = {tag};
    }
    REQUIRE(take(deliveries, tag, multiple) == expected);
    for (std::uint64_t gone : expected) model.erase(gone);
    REQUIRE(deliveries.size() == model.size());
  }
}
