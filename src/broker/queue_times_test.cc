#include "broker/queue_times.h"

#include <doctest/doctest.h>

#include "base/random.h"

using namespace warren;
using namespace warren::broker;

namespace {

/// Marks what comes in as a queue's leader does, and remembers the truth.
struct Marked {
  QueueTimes times;
  std::uint64_t index = 0;
  struct Message {
    std::uint64_t index;
    WallMs deadline;
    std::optional<std::uint64_t> expiration;
  };
  std::vector<Message> messages;

  void put(WallMs now, std::optional<std::uint64_t> ttl, std::optional<std::uint64_t> expiration,
           std::uint64_t lowest = 0) {
    if (auto mark = times.find_needed(now, ttl, expiration.has_value())) {
      mark->after = MessageIndex{++index};
      times.add(*mark, MessageIndex{lowest});
    }
    ++index;
    messages.push_back({index, QueueTimes::deadline({{}, now, ttl, true}, expiration), expiration});
  }
  WallMs deadline(const Message& message) const {
    const TimeMark* mark = times.find(MessageIndex{message.index});
    if (!mark) return never_ms;
    if (!mark->has_own) CHECK(!message.expiration);
    return QueueTimes::deadline(*mark, message.expiration);
  }
};

}  // namespace

TEST_CASE("what came when nothing about time mattered has no mark") {
  QueueTimes times;
  CHECK_FALSE(times.find_needed(5, {}, false));
  CHECK(times.find(MessageIndex{7}) == nullptr);
}

TEST_CASE("messages of one millisecond share a mark") {
  Marked marked;
  for (int i = 0; i < 10; ++i) marked.put(100, 50, {});
  for (int i = 0; i < 10; ++i) marked.put(101, 50, {});
  CHECK(marked.times.marks().size() == 2);
  for (const auto& message : marked.messages) CHECK(marked.deadline(message) == message.deadline);
}

TEST_CASE("a TTL counts for what comes after it, and so does its end") {
  Marked marked;
  marked.put(100, {}, {});
  marked.put(110, 50, {});
  marked.put(120, 20, {});
  marked.put(130, {}, {});
  marked.put(140, {}, 7);
  marked.put(150, {}, {});
  marked.put(150, 60, 7);
  for (const auto& message : marked.messages) CHECK(marked.deadline(message) == message.deadline);
  CHECK(marked.messages[4].deadline == 147);
  CHECK(marked.messages[5].deadline == never_ms);
}

TEST_CASE("enormous times do not overflow") {
  CHECK(QueueTimes::deadline({{}, 100, UINT64_MAX - 50, true}, {}) == never_ms);
  CHECK(QueueTimes::deadline({{}, 100, {}, true}, UINT64_MAX) == never_ms);
}

TEST_CASE("there are never many marks, nothing ends early, and little is late") {
  Marked marked;
  constexpr WallMs span = 100'000;
  for (WallMs now = 0; now < span; ++now)
    marked.put(1000 + now, 1'000'000,
               now % 3 == 0 ? std::optional<std::uint64_t>(500) : std::nullopt);
  CHECK(marked.times.marks().size() <= QueueTimes::most_marks);
  for (const auto& message : marked.messages) {
    WallMs deadline = marked.deadline(message);
    if (deadline < message.deadline || deadline - message.deadline > span / 1000)
      FAIL("off: " << deadline << " for " << message.deadline);
  }
}

TEST_CASE("marks of messages that have gone go first") {
  Marked marked;
  for (WallMs now = 0; now < 20'000; ++now)
    marked.put(now, 1000, {}, marked.index < 100 ? 1 : marked.index - 100);
  CHECK(marked.times.marks().size() <= QueueTimes::most_marks);
  for (std::size_t i = marked.messages.size() - 50; i < marked.messages.size(); ++i)
    CHECK(marked.deadline(marked.messages[i]) == marked.messages[i].deadline);
}

TEST_CASE("whatever the clock and the policies do, nothing ends early") {
  base::Random random(7);
  Marked marked;
  for (int i = 0; i < 40'000; ++i) {
    std::optional<std::uint64_t> ttl, expiration;
    if (random.chance(70)) ttl = random.below(3) * 100;
    if (random.chance(30)) expiration = random.below(500);
    marked.put(random.below(1'000'000), ttl, expiration);
  }
  CHECK(marked.times.marks().size() <= QueueTimes::most_marks);
  for (const auto& message : marked.messages)
    if (marked.deadline(message) < message.deadline) FAIL("early: " << message.index);
}

TEST_CASE("marks from elsewhere are taken in order, and not more than there may be") {
  std::vector<TimeMark> marks;
  for (std::uint64_t i = 1; i <= 3 * QueueTimes::most_marks; ++i)
    marks.push_back({{i}, i, 5, false});
  marks.push_back({{7}, 1, {}, false});
  QueueTimes times;
  times.assign(marks);
  CHECK(times.marks().size() <= QueueTimes::most_marks);
  CHECK(times.marks().back().after == MessageIndex{3 * QueueTimes::most_marks});
}
