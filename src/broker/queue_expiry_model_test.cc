#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "base/random.h"
#include "broker/queue.h"

using namespace warren;
using namespace warren::broker;

namespace {

/// A queue with messages that expire, beside the rules told plainly.
class Aging {
 public:
  explicit Aging(std::uint64_t seed) : random_(seed) {
    queue_.set_max_priority(max_priority_ = seed % 2 == 0 ? std::uint8_t{2} : std::uint8_t{0});
    queue_.set_keeps_dead(keeps_dead_ = seed % 3 == 0);
    REQUIRE(queue_.subscribe({1}, {.consumer_tag = "t", .credit = UINT32_MAX, .arguments = {}}));
  }

  void step() {
    now_ += random_.below(20);
    if (random_.chance(5)) queue_.page_out({1}, {last()});
    if (random_.chance(5)) ttl_ = random_.chance(50) ? std::optional(random_.below(4) * 30)
                                                     : std::nullopt;
    switch (random_.below(8)) {
      case 0:
      case 1:
      case 2:
      case 3: return put();
      case 4: return expire();
      case 5: return deliver();
      case 6: return give_back();
      default: return drop_excess();
    }
  }

  void compare() {
    std::vector<std::uint64_t> seen, expected;
    queue_.for_each_message({}, [&](MessageIndex index, const Message&) {
      seen.push_back(index.value);
      return true;
    });
    for (const auto& [index, message] : messages_) expected.push_back(index);
    REQUIRE(seen == expected);
  }

 private:
  enum class Place { ready, held, dying };
  struct Known {
    Message message;
    WallMs arrived = 0, by_ttl = never_ms, deadline = never_ms;
    Place place = Place::ready;
  };

  void put() {
    std::optional<std::uint64_t> expiration;
    if (random_.chance(30)) expiration = random_.below(4) * 40;
    if (auto mark = queue_.find_needed_time(now_, ttl_, expiration.has_value())) {
      mark->after = {next_++};
      queue_.add_time(*mark);
    }
    Message message = Message::make({.body = "b",
                                     .priority = static_cast<std::uint8_t>(random_.below(4)),
                                     .expiration_ms = expiration});
    queue_.put({next_}, message, false);
    auto after = [&](auto stay) { return stay ? now_ + *stay : never_ms; };
    WallMs by_ttl = after(ttl_);
    messages_[next_++] = {message, now_, by_ttl, std::min(by_ttl, after(expiration)),
                          Place::ready};
  }

  std::uint64_t last() const { return next_ - 1; }
  std::uint8_t level(const Known& known) const {
    return std::min(known.message.priority(), max_priority_);
  }
  bool is_over(std::uint64_t index, const Known& known) const {
    bool is_over_by_ttl = known.by_ttl <= now_ && known.by_ttl > known.arrived;
    return is_over_by_ttl || (known.deadline <= now_ &&
                              (known.deadline > known.arrived || index <= offered_));
  }
  /// The first of each priority.
  std::map<std::uint8_t, std::uint64_t> firsts(std::uint64_t limit) const {
    std::map<std::uint8_t, std::uint64_t> firsts;
    for (const auto& [index, known] : messages_)
      if (known.place == Place::ready && index <= limit) firsts.try_emplace(level(known), index);
    return firsts;
  }
  void read() {
    std::vector<StoredBody> bodies;
    for (const auto& [index, known] : messages_) bodies.push_back({{index}, known.message});
    queue_.page_in(bodies);
  }
  /// Those that left by themselves, in their order.
  std::vector<std::uint64_t> collect(std::vector<MessageIndex> gone, DeathReason reason) {
    while (auto dying = queue_.next_dying()) {
      REQUIRE(dying->reason == reason);
      gone.push_back(dying->index);
      queue_.pass_dying();
    }
    std::vector<std::uint64_t> ended;
    for (MessageIndex index : gone) ended.push_back(index.value);
    return ended;
  }
  void end(std::uint64_t index) {
    if (keeps_dead_)
      messages_.at(index).place = Place::dying;
    else
      messages_.erase(index);
  }

  void expire() {
    std::uint64_t limit = random_.chance(70) ? last() : random_.below(next_);
    // What has to be read before it can be judged is read, and then it is judged.
    while (true) {
      std::vector<MessageIndex> gone;
      bool has_ended = queue_.expire(now_, {limit}, gone);
      std::vector<std::uint64_t> ended = collect(std::move(gone), DeathReason::expired);
      REQUIRE(has_ended == !ended.empty());
      for (std::uint64_t index : ended) {
        REQUIRE(firsts(limit).at(level(messages_.at(index))) == index);
        REQUIRE(is_over(index, messages_.at(index)));
        end(index);
      }
      WallMs next = queue_.next_expiry({limit});
      if (queue_.missing()) {
        read();
        continue;
      }
      WallMs expected = never_ms;
      for (const auto& [priority, index] : firsts(limit)) {
        REQUIRE_FALSE(is_over(index, messages_.at(index)));
        expected = std::min(expected, messages_.at(index).deadline);
      }
      REQUIRE(next == expected);
      return;
    }
  }

  void deliver() {
    expire();
    read();
    std::vector<Queue::Outgoing> out;
    std::uint64_t most = 1 + random_.below(4);
    queue_.deliver({last()}, most, out);
    for (const Queue::Outgoing& outgoing : out) {
      auto first = firsts(last()).rbegin()->second;
      REQUIRE(outgoing.index.value == first);
      REQUIRE_FALSE(is_over(first, messages_.at(first)));
      messages_.at(first).place = Place::held;
    }
    if (out.size() == most) return;
    auto rest = firsts(last());
    if (rest.empty())
      offered_ = std::max(offered_, last());
    else
      REQUIRE(is_over(rest.rbegin()->second, messages_.at(rest.rbegin()->second)));
  }

  void give_back() {
    std::vector<MessageIndex> some, gone;
    for (const auto& [index, known] : messages_)
      if (known.place == Place::held && random_.chance(60)) some.push_back({index});
    bool is_back = random_.chance(50);
    queue_.settle({1}, some, is_back ? Outcome::requeued : Outcome::acknowledged, gone);
    for (MessageIndex index : some) {
      messages_.at(index.value).place = Place::ready;
      if (!is_back) messages_.erase(index.value);
    }
  }

  void drop_excess() {
    std::uint64_t length = random_.below(12);
    std::uint64_t ready = queue_.counts().ready;
    std::vector<MessageIndex> gone;
    queue_.drop_excess(length, UINT64_MAX, {last()}, gone);
    std::vector<std::uint64_t> ended = collect(std::move(gone), DeathReason::maxlen);
    REQUIRE(ended.size() == ready - std::min(ready, length));
    for (std::uint64_t index : ended) {
      REQUIRE(firsts(last()).rbegin()->second == index);
      end(index);
    }
  }

  base::Random random_;
  Queue queue_;
  std::uint8_t max_priority_ = 0;
  bool keeps_dead_ = false;
  std::map<std::uint64_t, Known> messages_;
  WallMs now_ = 1000;
  std::optional<std::uint64_t> ttl_;
  std::uint64_t next_ = 1, offered_ = 0;
};

}  // namespace

TEST_CASE("messages expire as a naive model says, and none is delivered after that") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Aging aging(seed);
    for (int round = 0; round < 400; ++round) {
      CAPTURE(round);
      aging.step();
      aging.compare();
    }
  }
}
