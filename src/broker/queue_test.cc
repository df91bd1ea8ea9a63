#include "broker/queue.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <sstream>

using namespace warren;
using namespace warren::broker;

namespace {

/// Runs a queue by words: a line is a command, lines that begin with "> " are what it answers.
class Script {
 public:
  void run(const std::string& text) {
    std::istringstream lines(text);
    std::string line, expected, command = "start";
    while (std::getline(lines, line)) {
      line.erase(0, line.find_first_not_of(' '));
      if (line.empty()) continue;
      if (line.starts_with("> ")) {
        expected += line.substr(2) + "\n";
        continue;
      }
      check(command, expected);
      command = line;
      expected.clear();
      execute(line);
    }
    check(command, expected);
  }

 private:
  void check(const std::string& command, const std::string& expected) {
    INFO("after: " << command);
    CHECK(answer_ == expected);
    answer_.clear();
  }

  void execute(const std::string& line) {
    words_ = std::istringstream(line);
    std::string verb = word();
    if (verb == "put" || verb == "put_again") {
      for (std::string index; !(index = word()).empty();)
        queue_.put({std::stoull(index)}, Message::make({.body = "12345"}), verb != "put");
    } else if (verb == "subscribe") {
      subscribe();
    } else if (verb == "unsubscribe") {
      ChannelId channel = id<ChannelId>();
      say(queue_.unsubscribe(channel, word()) ? "yes" : "no");
    } else if (verb == "grant") {
      ChannelId channel = id<ChannelId>();
      std::string tag = word();
      queue_.grant(channel, tag, static_cast<std::uint32_t>(number()));
    } else if (verb == "limit") {
      ChannelId channel = id<ChannelId>();
      queue_.limit_unacknowledged(channel, static_cast<std::uint16_t>(number()));
    } else if (verb == "deliver") {
      deliver();
    } else if (verb == "get" || verb == "get_no_ack") {
      ChannelId channel = id<ChannelId>();
      auto got = queue_.get(channel, verb == "get_no_ack", limit());
      say(!got ? "empty" : fmt::format("{}{}", got->index.value, got->redelivered ? " again" : ""));
    } else {
      settle_or_look(verb);
    }
  }

  void settle_or_look(const std::string& verb) {
    std::vector<MessageIndex> gone;
    if (verb == "ack" || verb == "reject" || verb == "requeue" || verb == "return") {
      ChannelId channel = id<ChannelId>();
      queue_.settle(channel, indexes(),
                    verb == "ack"      ? Outcome::acknowledged
                    : verb == "reject" ? Outcome::rejected
                    : verb == "return" ? Outcome::returned
                                       : Outcome::requeued,
                    gone);
    } else if (verb == "drop") {
      queue_.drop_channel(id<ChannelId>());
    } else if (verb == "purge") {
      queue_.purge(gone);
    } else if (verb == "remove") {
      queue_.remove(indexes());
    } else if (verb == "mark") {
      queue_.mark_redelivered(id<MessageIndex>());
    } else if (verb == "messages") {
      queue_.for_each_message({}, [&](MessageIndex index, const Message&) {
        gone.push_back(index);
        return true;
      });
    } else if (verb == "channels") {
      for (ChannelId channel : queue_.channels()) say(fmt::format("{}", channel.value));
    } else if (verb == "counts") {
      QueueCounts counts = queue_.counts();
      CHECK(counts.ready_bytes == 5 * counts.ready);
      CHECK(counts.unacknowledged_bytes == 5 * counts.unacknowledged);
      say(fmt::format("{} ready {} held {} consumers", counts.ready, counts.unacknowledged,
                      counts.consumers));
    } else {
      FAIL("unknown command " << verb);
    }
    for (MessageIndex index : gone) say(fmt::format("{}", index.value));
  }

  void subscribe() {
    Subscription subscription;
    ChannelId channel = id<ChannelId>();
    subscription.consumer_tag = word();
    subscription.credit = 100;
    for (std::string option; !(option = word()).empty();) {
      if (option == "no_ack")
        subscription.no_ack = true;
      else if (option == "exclusive")
        subscription.exclusive = true;
      else if (option == "credit")
        subscription.credit = static_cast<std::uint32_t>(number());
      else if (option == "prefetch")
        subscription.prefetch = static_cast<std::uint16_t>(number());
      else if (option == "priority")
        subscription.priority = static_cast<std::int32_t>(number());
      else
        FAIL("unknown option " << option);
    }
    auto result = queue_.subscribe(channel, subscription);
    if (!result) say(result.error().text);
  }

  void deliver() {
    MessageIndex last = limit();
    std::string most = word();
    std::vector<Queue::Outgoing> out;
    queue_.deliver(last, most.empty() ? 1000 : std::stoul(most), out);
    for (const Queue::Outgoing& outgoing : out)
      say(fmt::format("{} to {}/{}{}{}", outgoing.index.value, outgoing.channel.value,
                      outgoing.consumer_tag, outgoing.redelivered ? " again" : "",
                      outgoing.no_ack ? " for good" : ""));
  }

  std::string word() {
    std::string next;
    words_ >> next;
    return next;
  }
  long number() { return std::stol(word()); }
  template <typename T>
  T id() {
    return T{std::stoull(word())};
  }
  MessageIndex limit() {
    std::string next = word();
    return {next.empty() ? 1000 : std::stoull(next)};
  }
  std::vector<MessageIndex> indexes() {
    std::vector<MessageIndex> all;
    for (std::string next; !(next = word()).empty();) all.push_back({std::stoull(next)});
    return all;
  }
  void say(const std::string& line) { answer_ += line + "\n"; }

  Queue queue_;
  std::istringstream words_;
  std::string answer_;
};

void run(const std::string& text) {
  Script().run(text);
}

}  // namespace

TEST_CASE("messages leave in order, to consumers in turn") {
  run(R"(
    put 1 2 3 4 5
    subscribe 1 a
    subscribe 2 b
    deliver
    > 1 to 1/a
    > 2 to 2/b
    > 3 to 1/a
    > 4 to 2/b
    > 5 to 1/a
    counts
    > 0 ready 5 held 2 consumers
    ack 1 1 5 2 77
    > 1
    > 5
    reject 2 2
    > 2
    counts
    > 0 ready 2 held 2 consumers
  )");
}

TEST_CASE("nothing above the limit and no more than asked leaves") {
  run(R"(
    put 1 3 5 7
    subscribe 1 a
    deliver 4 1
    > 1 to 1/a
    deliver 4
    > 3 to 1/a
    deliver 4
    get 1 4
    > empty
    get 1 5
    > 5
  )");
}

TEST_CASE("requeued messages go back to their places") {
  run(R"(
    put 1 2 3 4 5 6
    subscribe 1 a credit 4
    deliver
    > 1 to 1/a
    > 2 to 1/a
    > 3 to 1/a
    > 4 to 1/a
    requeue 1 2 4
    requeue 1 3
    messages
    > 1
    > 2
    > 3
    > 4
    > 5
    > 6
    grant 1 a 10
    deliver
    > 2 to 1/a again
    > 3 to 1/a again
    > 4 to 1/a again
    > 5 to 1/a
    > 6 to 1/a
  )");
}

TEST_CASE("credit, prefetch and the channel's limit each hold deliveries back") {
  run(R"(
    put 1 2 3 4 5 6 7 8
    subscribe 1 credit credit 1
    subscribe 1 prefetch prefetch 2
    deliver
    > 1 to 1/credit
    > 2 to 1/prefetch
    > 3 to 1/prefetch
    limit 1 3
    grant 1 credit 5
    deliver
    ack 1 2
    > 2
    deliver
    > 4 to 1/credit
    ack 1 1 3
    > 1
    > 3
    deliver
    > 5 to 1/prefetch
    > 6 to 1/credit
    limit 1 0
    deliver
    > 7 to 1/prefetch
    > 8 to 1/credit
  )");
}

TEST_CASE("no_ack deliveries are gone, and know no limit but credit") {
  run(R"(
    put 1 2 3
    limit 1 1
    subscribe 1 a no_ack prefetch 1 credit 2
    deliver
    > 1 to 1/a for good
    > 2 to 1/a for good
    counts
    > 1 ready 0 held 1 consumers
    get_no_ack 2
    > 3
    counts
    > 0 ready 0 held 1 consumers
    channels
    > 1
  )");
}

TEST_CASE("the highest priority with credit is served first") {
  run(R"(
    put 1 2 3 4 5
    subscribe 1 low priority -1
    subscribe 1 high priority 5 prefetch 1
    subscribe 2 high priority 5 prefetch 1
    subscribe 2 none
    deliver
    > 1 to 1/high
    > 2 to 2/high
    > 3 to 2/none
    > 4 to 2/none
    > 5 to 2/none
    unsubscribe 2 none
    > yes
    put 6 7
    ack 1 1
    > 1
    deliver
    > 6 to 1/high
    > 7 to 1/low
    unsubscribe 1 high
    > yes
    unsubscribe 2 high
    > yes
    put 8
    deliver
    > 8 to 1/low
  )");
}

TEST_CASE("an exclusive consumer is alone") {
  run(R"(
    subscribe 1 x exclusive
    subscribe 2 y
    > in exclusive use
    subscribe 2 y exclusive
    > in exclusive use
    unsubscribe 1 x
    > yes
    subscribe 2 y
    subscribe 1 x exclusive
    > in exclusive use
    drop 2
    subscribe 1 x exclusive
    drop 1
    subscribe 2 y
    subscribe 2 y
    > attempt to reuse consumer tag 'y'
    counts
    > 0 ready 0 held 1 consumers
  )");
}

TEST_CASE("what a cancelled consumer holds stays with its channel") {
  run(R"(
    put 1 2 3
    limit 1 2
    subscribe 1 a credit 2
    deliver
    > 1 to 1/a
    > 2 to 1/a
    unsubscribe 1 a
    > yes
    unsubscribe 1 a
    > no
    channels
    > 1
    subscribe 1 a
    deliver
    ack 1 1
    > 1
    deliver
    > 3 to 1/a
    requeue 1 2
    deliver
    > 2 to 1/a again
  )");
}

TEST_CASE("a dropped channel gives everything back") {
  run(R"(
    put 1 2 3 4
    get 1
    > 1
    subscribe 2 b credit 1
    deliver
    > 2 to 2/b
    get 1
    > 3
    drop 1
    channels
    > 2
    get 3
    > 1 again
    get 3
    > 3 again
    get 3
    > 4
    drop 2
    counts
    > 1 ready 3 held 0 consumers
    messages
    > 1
    > 2
    > 3
    > 4
    drop 9
  )");
}

TEST_CASE("messages got one by one do not fill the channel's limit") {
  run(R"(
    put 1 2 3
    limit 1 1
    get 1
    > 1
    get 1
    > 2
    subscribe 1 a
    deliver
    > 3 to 1/a
  )");
}

TEST_CASE("a purge drops what is ready and nothing else") {
  run(R"(
    put 1 2 3 4
    get 1
    > 1
    get 1
    > 2
    requeue 1 1
    purge
    > 1
    > 3
    > 4
    counts
    > 0 ready 1 held 0 consumers
    purge
    requeue 1 2
    get 1
    > 2 again
  )");
}

TEST_CASE("a replica removes, takes in late, and becomes a leader whose messages are all seen") {
  run(R"(
    put 1 2 3 5 6
    remove 2 6 44
    put 4
    put_again 7
    messages
    > 1
    > 3
    > 4
    > 5
    > 7
    mark 4
    put 8
    get 1
    > 1 again
    remove 1
    ack 1 1
    get 1
    > 3 again
    get 1
    > 4 again
    get 1
    > 5
    get 1
    > 7 again
    get 1
    > 8
    counts
    > 0 ready 5 held 0 consumers
  )");
}

TEST_CASE("a full channel's other consumers come back when there is room") {
  run(R"(
    put 1 2 3 4 5
    limit 1 1
    subscribe 1 a
    subscribe 1 b
    subscribe 2 c credit 1
    deliver
    > 1 to 1/a
    > 2 to 2/c
    ack 1 1
    > 1
    deliver
    > 3 to 1/b
    drop 2
    unsubscribe 1 a
    > yes
    deliver
    ack 1 3
    > 3
    deliver
    > 2 to 1/b again
  )");
}

TEST_CASE("a visit starts and stops where it is told") {
  Queue queue;
  for (std::uint64_t index = 1; index <= 10; ++index) queue.put({index}, Message::make({}), false);
  for (int i = 0; i < 4; ++i) queue.get({1 + static_cast<std::uint64_t>(i % 2)}, false, {10});
  std::vector<std::uint64_t> seen;
  queue.for_each_message({3}, [&](MessageIndex index, const Message&) {
    seen.push_back(index.value);
    return index.value < 6;
  });
  CHECK(seen == std::vector<std::uint64_t>{3, 4, 5, 6});
}

TEST_CASE("a message that is missing is missed no more when it is gone") {
  Queue queue;
  queue.put_stored({1}, 5, 0);
  CHECK_FALSE(queue.missing());
  CHECK_FALSE(queue.get({1}, true, {9}).has_value());
  CHECK(queue.missing() == MessageIndex{1});
  std::vector<MessageIndex> gone;
  queue.purge(gone);
  CHECK_FALSE(queue.missing());
  queue.put({2}, Message::make({}), false);
  CHECK_FALSE(queue.missing());
}

TEST_CASE("an urgent message that may not go yet holds up nobody") {
  Queue queue;
  queue.set_max_priority(9);
  queue.put({1}, Message::make({.priority = 1}), false);
  queue.put({2}, Message::make({.priority = 9}), false);
  CHECK(queue.first_ready() == MessageIndex{2});
  CHECK(queue.lowest_ready() == MessageIndex{1});
  CHECK(queue.get({1}, true, {1})->index == MessageIndex{1});
  CHECK_FALSE(queue.get({1}, true, {1}).has_value());
  CHECK(queue.get({1}, true, {2})->index == MessageIndex{2});
}

TEST_CASE("what a queue makes of priorities may come to light after its messages") {
  Queue queue;
  queue.set_max_priority(255);
  queue.put_stored({1}, 5, 7);
  queue.put({2}, Message::make({.priority = 2}), false);
  queue.put({3}, Message::make({.priority = 3}), false);
  queue.put_stored({4}, 5, 1);
  auto order = [&queue] {
    std::vector<std::uint64_t> order;
    std::vector<StoredBody> bodies{{{1}, Message::make({.priority = 7})},
                                   {{4}, Message::make({.priority = 1})}};
    queue.page_in(bodies);
    while (auto got = queue.get({1}, false, {9})) order.push_back(got->index.value);
    queue.drop_channel({1});
    return order;
  };
  CHECK(order() == std::vector<std::uint64_t>{1, 3, 2, 4});
  queue.set_max_priority(2);
  CHECK(order() == std::vector<std::uint64_t>{1, 2, 3, 4});
  queue.set_max_priority(0);
  CHECK(order() == std::vector<std::uint64_t>{1, 2, 3, 4});
}

TEST_CASE("listing shows each consumer with what it holds") {
  Queue queue;
  CHECK_FALSE(queue.had_consumers());
  queue.put({1}, Message::make({}), false);
  Subscription subscription{.consumer_tag = "t",
                            .prefetch = 3,
                            .priority = 2,
                            .credit = 5,
                            .arguments = {{"k", base::FieldValue("v")}}};
  REQUIRE(queue.subscribe({7}, subscription).has_value());
  std::vector<Queue::Outgoing> out;
  queue.deliver({1}, 10, out);
  auto consumers = queue.consumers();
  REQUIRE(consumers.size() == 1);
  CHECK(consumers[0].channel == ChannelId{7});
  CHECK(consumers[0].consumer_tag == "t");
  CHECK(consumers[0].prefetch == 3);
  CHECK(consumers[0].priority == 2);
  CHECK(consumers[0].unacknowledged == 1);
  CHECK(consumers[0].arguments == subscription.arguments);
  queue.unsubscribe({7}, "t");
  CHECK(queue.had_consumers());
}
