#include "broker/message_run.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "base/random.h"

using namespace warren;
using namespace warren::broker;

namespace {

MessageRun::Entry entry(std::uint64_t index) {
  return {.index = {index}, .message = Message::make({.body = std::string(index % 7, 'b')})};
}

std::vector<std::uint64_t> indexes_from(const MessageRun& run, std::uint64_t from) {
  std::vector<std::uint64_t> indexes;
  for (MessageRun::Cursor cursor(run, {from}); cursor.current(); cursor.advance())
    indexes.push_back(cursor.current()->index.value);
  return indexes;
}

}  // namespace

TEST_CASE("a run keeps order whatever the order of insertion") {
  MessageRun run;
  for (std::uint64_t index : {5, 9, 2, 7, 6, 1, 12, 8}) run.insert(entry(index));
  CHECK(indexes_from(run, 0) == std::vector<std::uint64_t>{1, 2, 5, 6, 7, 8, 9, 12});
  CHECK(indexes_from(run, 7) == std::vector<std::uint64_t>{7, 8, 9, 12});
  CHECK(indexes_from(run, 13).empty());
  CHECK(run.take_last().index.value == 12);
  CHECK(run.take_first().index.value == 1);
  CHECK_FALSE(run.take({3}).has_value());
  CHECK(run.take({7})->index.value == 7);
  CHECK_FALSE(run.take({7}).has_value());
  CHECK(run.size() == 5);
  run.insert(entry(7));
  CHECK(indexes_from(run, 0) == std::vector<std::uint64_t>{2, 5, 6, 7, 8, 9});
}

TEST_CASE("a run agrees with a map under random operations") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::Random random(seed);
    MessageRun run;
    std::map<std::uint64_t, std::size_t> model;
    std::uint64_t next = 1, bytes = 0;
    auto put = [&](std::uint64_t index) {
      run.insert(entry(index));
      model[index] = index % 7;
      bytes += index % 7;
    };
    auto forget = [&](std::uint64_t index) {
      bytes -= index % 7;
      model.erase(index);
    };
    for (int round = 0; round < 3000; ++round) {
      std::uint64_t some = 1 + random.below(next);
      switch (random.below(7)) {
        case 0:
        case 1:
          put(next), next += 1 + random.below(3);
          break;
        case 2:
          if (!model.contains(some) && some < next) put(some);
          break;
        case 3:
          if (model.empty()) break;
          CHECK(run.first()->index.value == model.begin()->first);
          forget(run.take_first().index.value);
          break;
        case 4:
          if (random.chance(90) || model.empty()) break;
          CHECK(run.take_last().index.value == model.rbegin()->first);
          forget(std::prev(model.end())->first);
          break;
        default:
          CHECK(run.take({some}).has_value() == model.contains(some));
          if (model.contains(some)) forget(some);
      }
      REQUIRE(run.size() == model.size());
      REQUIRE(run.body_bytes() == bytes);
      if (round % 100 != 0) continue;
      std::vector<std::uint64_t> expected;
      for (auto at = model.lower_bound(some); at != model.end(); ++at)
        expected.push_back(at->first);
      REQUIRE(indexes_from(run, some) == expected);
    }
  }
}

TEST_CASE("a message held for long does not keep the places of those around it") {
  MessageRun run;
  run.insert(entry(1));
  for (std::uint64_t index = 2; index < 100000; ++index) {
    run.insert(entry(index));
    CHECK(run.take({index}).has_value());
  }
  run.insert(entry(100000));
  CHECK(indexes_from(run, 0) == std::vector<std::uint64_t>{1, 100000});
}
