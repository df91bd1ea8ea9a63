#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "broker/queue.h"

using namespace warren;
using namespace warren::broker;

namespace {

constexpr std::uint64_t channels = 4, tags = 3;

/// The rules of a queue, told as plainly as possible: every question is a search.
struct Model {
  struct Consumer {
    std::uint64_t channel;
    std::string tag;
    Subscription subscription;
    int number;
  };
  struct Held {
    std::uint64_t channel;
    int consumer;  ///< zero for messages got one by one
    bool was_delivered;
  };

  std::map<std::uint64_t, bool> ready;  ///< whether delivered before
  std::map<std::uint64_t, Message> messages;  ///< all that ever were
  std::uint8_t max_priority = 0;
  bool has_single_active = false;
  int active = 0;  ///< the number of the only consumer that is served
  std::map<std::uint64_t, Held> held;
  std::set<std::uint64_t> dying;
  bool keeps_dead = false;
  std::vector<Consumer> consumers;
  std::map<std::uint64_t, std::uint16_t> limits;
  int last_number = 0;

  /// Who goes next of those with an index up to `limit`; end() when nobody does.
  std::map<std::uint64_t, bool>::iterator next(std::uint64_t limit) {
    auto next = ready.end();
    for (auto it = ready.begin(); it != ready.end() && it->first <= limit; ++it)
      if (next == ready.end() || level(it->first) > level(next->first)) next = it;
    return next;
  }
  std::uint8_t level(std::uint64_t index) {
    return std::min(messages[index].priority(), max_priority);
  }
  std::vector<Consumer>::iterator find(std::uint64_t channel, const std::string& tag) {
    return std::ranges::find_if(consumers, [&](const Consumer& consumer) {
      return consumer.channel == channel && consumer.tag == tag;
    });
  }
  std::uint64_t held_by(int number) const {
    return static_cast<std::uint64_t>(
        std::ranges::count(held, number, [](const auto& pair) { return pair.second.consumer; }));
  }
  std::uint64_t delivered_to(std::uint64_t channel) const {
    return static_cast<std::uint64_t>(std::ranges::count_if(held, [&](const auto& pair) {
      return pair.second.channel == channel && pair.second.consumer != 0;
    }));
  }
  /// Whoever was active stays so; then the first of the highest priority is.
  void choose_active() {
    auto before = [](const Consumer& a, const Consumer& b) {
      return a.subscription.priority > b.subscription.priority;
    };
    if (std::ranges::find(consumers, active, &Consumer::number) != consumers.end()) return;
    auto first = std::ranges::min_element(consumers, before);
    active = first == consumers.end() ? 0 : first->number;
  }
  bool can_take(const Consumer& consumer) {
    const Subscription& s = consumer.subscription;
    if (has_single_active && active != consumer.number) return false;
    if (s.credit == 0) return false;
    std::uint16_t limit = limits[consumer.channel];
    if (limit != 0 && delivered_to(consumer.channel) >= limit) return false;
    return s.no_ack || s.prefetch == 0 || held_by(consumer.number) < s.prefetch;
  }
  /// What may come next: any consumer of the highest priority that has one able.
  bool is_allowed(const Consumer& consumer) {
    return can_take(consumer) && std::ranges::none_of(consumers, [&](const Consumer& other) {
             return other.subscription.priority > consumer.subscription.priority && can_take(other);
           });
  }
};

class Pair {
 public:
  explicit Pair(std::uint64_t seed) : random_(seed) {
    constexpr std::uint8_t mosts[] = {0, 3, 255};
    queue_.set_max_priority(model_.max_priority = mosts[seed % 3]);
    queue_.set_single_active_consumer(model_.has_single_active = seed % 4 == 0);
  }

  void step() {
    if (random_.chance(5)) queue_.page_out({1}, {next_});
    std::uint64_t channel = 1 + random_.below(channels);
    std::string tag = fmt::format("t{}", random_.below(tags));
    switch (random_.below(13)) {
      case 0:
      case 1:
        return put();
      case 2:
        return subscribe(channel, tag);
      case 3:
        return unsubscribe(channel, tag);
      case 4:
        return grant(channel, tag);
      case 5:
        return limit(channel);
      case 6:
        return get(channel);
      case 7:
        return random_.chance(10) ? drop(channel) : purge();
      case 8:
        return remove();
      case 9:
        return bury();
      case 10:
        return settle(channel, static_cast<Outcome>(random_.below(4)));
      default:
        return deliver();
    }
  }

  void compare() {
    QueueCounts counts = queue_.counts();
    REQUIRE(counts.ready == model_.ready.size());
    REQUIRE(counts.unacknowledged == model_.held.size());
    REQUIRE(counts.dying == model_.dying.size());
    REQUIRE(counts.consumers == model_.consumers.size());
    REQUIRE(counts.ready_bytes == bytes_of(model_.ready));
    REQUIRE(counts.unacknowledged_bytes == bytes_of(model_.held));
    std::vector<std::uint64_t> seen, expected;
    queue_.for_each_message({}, [&](MessageIndex index, const Message&) {
      seen.push_back(index.value);
      return true;
    });
    for (const auto& [index, redelivered] : model_.ready) expected.push_back(index);
    for (const auto& [index, held] : model_.held) expected.push_back(index);
    expected.insert(expected.end(), model_.dying.begin(), model_.dying.end());
    std::ranges::sort(expected);
    REQUIRE(seen == expected);
    for (const ConsumerInfo& info : queue_.consumers()) {
      auto consumer = model_.find(info.channel.value, info.consumer_tag);
      REQUIRE(consumer != model_.consumers.end());
      REQUIRE(info.unacknowledged == model_.held_by(consumer->number));
      bool is_active = consumer->number == model_.active;
      REQUIRE(info.is_active == (is_active || !model_.has_single_active));
      REQUIRE(info.is_single_active == (is_active && model_.has_single_active));
    }
    std::set<ChannelId> ids;
    for (const auto& consumer : model_.consumers) ids.insert({consumer.channel});
    for (const auto& [index, held] : model_.held) ids.insert({held.channel});
    REQUIRE(queue_.channels() == std::vector<ChannelId>(ids.begin(), ids.end()));
  }

 private:
  static std::uint64_t bytes_of(const auto& messages) {
    std::uint64_t bytes = 0;
    for (const auto& [index, rest] : messages) bytes += index % 5;
    return bytes;
  }

  void put() {
    std::string body(next_ % 5, 'b');
    auto priority = static_cast<std::uint8_t>(random_.below(6));
    Message message = Message::make({.body = body, .priority = priority});
    if (random_.chance(10))
      queue_.put_stored({next_}, static_cast<std::uint32_t>(body.size()), priority);
    else
      queue_.put({next_}, message, false);
    model_.messages[next_] = message;
    model_.ready[next_] = false;
    next_ += 1 + random_.below(3);
  }

  /// What was paged out comes back: in the order of its indexes, some of it in vain.
  void page_in() {
    std::vector<StoredBody> bodies;
    for (const auto& [index, message] : model_.messages) bodies.push_back({{index}, message});
    queue_.page_in(bodies);
  }

  void subscribe(std::uint64_t channel, const std::string& tag) {
    if (model_.find(channel, tag) != model_.consumers.end()) return;
    Subscription subscription{.consumer_tag = tag,
                              .no_ack = random_.chance(20),
                              .exclusive = random_.chance(10),
                              .prefetch = static_cast<std::uint16_t>(random_.below(4)),
                              .priority = static_cast<std::int32_t>(random_.below(3)),
                              .credit = static_cast<std::uint32_t>(random_.below(5)),
                              .arguments = {}};
    bool is_taken = std::ranges::any_of(model_.consumers, [](const Model::Consumer& other) {
      return other.subscription.exclusive;
    });
    bool is_allowed = !is_taken && (!subscription.exclusive || model_.consumers.empty());
    REQUIRE(queue_.subscribe({channel}, subscription).has_value() == is_allowed);
    if (is_allowed) model_.consumers.push_back({channel, tag, subscription, ++model_.last_number});
    model_.choose_active();
  }

  void unsubscribe(std::uint64_t channel, const std::string& tag) {
    auto consumer = model_.find(channel, tag);
    REQUIRE(queue_.unsubscribe({channel}, tag) == (consumer != model_.consumers.end()));
    if (consumer != model_.consumers.end()) model_.consumers.erase(consumer);
    model_.choose_active();
  }

  void grant(std::uint64_t channel, const std::string& tag) {
    auto credit = static_cast<std::uint32_t>(random_.below(4));
    queue_.grant({channel}, tag, credit);
    auto consumer = model_.find(channel, tag);
    if (consumer != model_.consumers.end()) consumer->subscription.credit += credit;
  }

  void limit(std::uint64_t channel) {
    auto limit = static_cast<std::uint16_t>(random_.below(5));
    queue_.limit_unacknowledged({channel}, limit);
    model_.limits[channel] = limit;
  }

  void get(std::uint64_t channel) {
    std::uint64_t limit = random_.below(next_ + 1);
    bool no_ack = random_.chance(30);
    auto first = model_.next(limit);
    bool is_there = first != model_.ready.end();
    auto got = queue_.get({channel}, no_ack, {limit});
    if (!got && is_there) {
      REQUIRE(queue_.missing().value == first->first);
      page_in();
      REQUIRE_FALSE(queue_.missing());
      got = queue_.get({channel}, no_ack, {limit});
    }
    REQUIRE(got.has_value() == is_there);
    if (!is_there) return;
    REQUIRE(got->index.value == first->first);
    REQUIRE(got->redelivered == first->second);
    if (!no_ack) model_.held[first->first] = {channel, 0, first->second};
    model_.ready.erase(first);
  }

  void purge() {
    if (!random_.chance(20)) return;
    std::vector<MessageIndex> gone;
    queue_.purge(gone);
    std::ranges::sort(gone);
    REQUIRE(gone.size() == model_.ready.size());
    for (std::size_t i = 0; const auto& [index, redelivered] : model_.ready)
      REQUIRE(gone[i++].value == index);
    model_.ready.clear();
  }

  void drop(std::uint64_t channel) {
    queue_.drop_channel({channel});
    std::erase_if(model_.consumers,
                  [&](const auto& consumer) { return consumer.channel == channel; });
    model_.limits.erase(channel);
    std::erase_if(model_.held, [&](const auto& pair) {
      if (pair.second.channel != channel) return false;
      model_.ready[pair.first] = true;
      return true;
    });
    model_.choose_active();
  }

  void remove() {
    std::vector<MessageIndex> some{{1 + random_.below(next_)}, {1 + random_.below(next_)}};
    queue_.remove(some);
    for (MessageIndex index : some) {
      model_.ready.erase(index.value);
      model_.held.erase(index.value);
      model_.dying.erase(index.value);
    }
  }

  void bury() {
    if (random_.chance(30)) {
      model_.keeps_dead = !model_.keeps_dead;
      queue_.set_keeps_dead(model_.keeps_dead);
    } else if (random_.chance(10)) {
      std::vector<MessageIndex> gone;
      queue_.drop_dying(gone);
      REQUIRE(gone.size() == model_.dying.size());
      for (MessageIndex index : gone) REQUIRE(model_.dying.contains(index.value));
      model_.dying.clear();
    } else if (random_.chance(10)) {
      queue_.revive_dying();
      for (std::uint64_t index : model_.dying) model_.ready[index] = true;
      model_.dying.clear();
    } else if (auto dying = queue_.next_dying()) {
      REQUIRE(model_.dying.contains(dying->index.value));
      if (!dying->message) page_in();
      dying = queue_.next_dying();
      REQUIRE(dying->message.body().size() == dying->index.value % 5);
      queue_.pass_dying();
    }
  }

  void settle(std::uint64_t channel, Outcome outcome) {
    std::vector<MessageIndex> some{{1 + random_.below(next_)}}, gone;
    for (const auto& [index, held] : model_.held)
      if (random_.chance(40)) some.push_back({index});
    queue_.settle({channel}, some, outcome, gone);
    std::set<MessageIndex> expected;
    for (MessageIndex index : some) {
      auto held = model_.held.find(index.value);
      if (held == model_.held.end() || held->second.channel != channel) continue;
      bool was_delivered = outcome == Outcome::requeued || held->second.was_delivered;
      model_.held.erase(held);
      if (outcome == Outcome::requeued || outcome == Outcome::returned)
        model_.ready[index.value] = was_delivered;
      else if (outcome == Outcome::rejected && model_.keeps_dead)
        model_.dying.insert(index.value);
      else
        expected.insert(index);
    }
    std::ranges::sort(gone);
    REQUIRE(gone == std::vector<MessageIndex>(expected.begin(), expected.end()));
  }

  void deliver() {
    std::uint64_t limit = random_.below(next_ + 1), most = random_.below(6);
    std::vector<Queue::Outgoing> out;
    page_in();
    queue_.deliver({limit}, most, out);
    REQUIRE(out.size() <= most);
    for (const Queue::Outgoing& outgoing : out) {
      auto consumer = model_.find(outgoing.channel.value, std::string(outgoing.consumer_tag));
      REQUIRE(consumer != model_.consumers.end());
      REQUIRE(model_.is_allowed(*consumer));
      auto first = model_.next(limit);
      REQUIRE(first != model_.ready.end());
      REQUIRE(outgoing.index.value == first->first);
      REQUIRE(first->first <= limit);
      REQUIRE(outgoing.redelivered == first->second);
      REQUIRE(outgoing.no_ack == consumer->subscription.no_ack);
      if (!outgoing.no_ack)
        model_.held[first->first] = {consumer->channel, consumer->number, first->second};
      model_.ready.erase(first);
      --consumer->subscription.credit;
    }
    bool is_more = model_.next(limit) != model_.ready.end();
    if (out.size() < most && is_more)
      for (const Model::Consumer& consumer : model_.consumers)
        REQUIRE_FALSE(model_.can_take(consumer));
  }

  base::Random random_;
  Queue queue_;
  Model model_;
  std::uint64_t next_ = 1;
};

}  // namespace

TEST_CASE("a queue agrees with a naive model under random operations") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Pair pair(seed);
    for (int round = 0; round < 600; ++round) {
      CAPTURE(round);
      pair.step();
      pair.compare();
    }
  }
}

TEST_CASE("turns are shared evenly among equals") {
  Queue queue;
  std::vector<Queue::Outgoing> out;
  for (std::uint64_t channel = 1; channel <= 5; ++channel)
    REQUIRE(queue
                .subscribe({channel},
                           {.consumer_tag = "t", .prefetch = 0, .credit = 1000, .arguments = {}})
                .has_value());
  for (std::uint64_t index = 1; index <= 500; ++index) queue.put({index}, Message::make({}), false);
  queue.deliver({500}, 1000, out);
  std::map<ChannelId, int> shares;
  for (const auto& outgoing : out) ++shares[outgoing.channel];
  for (const auto& [channel, share] : shares) CHECK(share == 100);
}
