#include "cluster/node.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <functional>
#include <set>
#include <vector>

#include "base/log.h"
#include "cluster/link_message.h"
#include "cluster/test_node.h"

using namespace warren;
using namespace warren::cluster;
using namespace std::chrono_literals;

namespace {

/// A node without peers, over a disk in memory. Nothing runs unless a test says so: like the
/// server, it wakes the node when something comes in or a deadline is reached.
struct SingleNode final : TestNode {
  void on_confirmed(std::span<const broker::PublishSeq>) override {
    if (closes_when_confirmed) node->close_channel(channel);
  }
  void on_rejected(std::span<const broker::PublishSeq>) override { ++rejections; }
  void on_got(broker::RequestId, base::Result<std::optional<broker::Delivery>> delivery,
              std::uint64_t) override {
    if (!delivery) errors.push_back(delivery.error().text);
    if (delivery && *delivery) got.emplace_back((*delivery)->message.body());
    ++answers;
  }
  void on_reply(broker::RequestId, base::Result<broker::Reply> reply) override {
    if (!reply) errors.push_back(reply.error().text);
    ++answers;
  }

  int answers = 0;
  int rejections = 0;
  bool closes_when_confirmed = false;
  std::vector<std::string> errors;
  std::vector<std::string> got;
};

}  // namespace

TEST_CASE("requests that come after a long silence have their whole time") {
  SingleNode single;
  catalog::QueueId queue = single.declare("q");
  for (int i = 1; i <= 10; ++i) {
    single.pass(1h);
    single.node->get(single.channel, single.next_request(), queue, true);
    single.turn();
    single.pass(1ms);
    single.declare("q" + std::to_string(i));
  }
  CHECK(single.answers == 1 + 2 * 10);
  CHECK(single.errors == std::vector<std::string>());
}

TEST_CASE("only who is out of reach for a while, and not dead, counts as partitioned") {
  SingleNode single;
  single.add_member("rabbit@away");
  base::Bytes hello;
  LinkMessage greeting = Hello{"uuid", {1}};
  encode_link_message(hello, greeting);
  const std::vector<catalog::NodeName> none, away{"rabbit@away"};
  auto lose = [&] {
    single.node->on_link_up("rabbit@away");
    single.node->on_link_bytes("rabbit@away", hello);
    single.turn();
    REQUIRE(single.node->linked_members() == away);
    CHECK(single.node->partitioned_members() == none);
    single.node->on_link_down("rabbit@away");
    single.turn();
    CHECK(single.node->partitioned_members() == none);
  };
  lose();
  single.pass(2s);
  CHECK(single.node->partitioned_members() == away);
  lose();
  single.node->on_peer_dead("rabbit@away");
  single.turn();
  CHECK(single.node->partitioned_members() == none);
}

TEST_CASE("a node lets in whom a member knows that is ahead of it") {
  SingleNode single;
  single.add_member("rabbit@away");
  std::set<catalog::NodeName> let_in;  // they hear who is a member
  auto take_frames = [&] {
    for (const auto& [peer, bytes] : single.node->take_frames()) {
      LinkParser parser;
      parser.feed(bytes);
      for (auto message = parser.take(); message && *message; message = parser.take())
        if (std::holds_alternative<Members>(**message)) let_in.insert(peer);
    }
  };
  auto hear = [&](const catalog::NodeName& peer, LinkMessage message) {
    base::Bytes bytes;
    encode_link_message(bytes, message);
    single.node->on_link_bytes(peer, bytes);
    single.turn();
    take_frames();
  };
  using Names = std::set<catalog::NodeName>;
  single.node->on_link_up("rabbit@away");
  hear("rabbit@away", Hello{"uuid", {1}});
  single.node->on_link_up("rabbit@new");
  hear("rabbit@new", Hello{"new", {1}});
  CHECK(let_in == Names{"rabbit@away"});
  SUBCASE("with its data directory") {
    hear("rabbit@away", Members{1, 1000, {{"rabbit@new", "another"}}});
    CHECK(let_in == Names{"rabbit@away"});
    hear("rabbit@away", Members{1, 1001, {{"rabbit@new", "new"}}});
    CHECK(let_in == Names{"rabbit@away", "rabbit@new"});
  }
  SUBCASE("and not whom one knows that is behind") {
    hear("rabbit@away", Members{1, 1, {{"rabbit@new", "new"}}});
    hear("rabbit@away", Members{0, 1000, {{"rabbit@new", "new"}}});
    CHECK(let_in == Names{"rabbit@away"});
  }
  SUBCASE("as long as that one is linked") {
    hear("rabbit@away", Members{1, 1000, {{"rabbit@late", "late"}}});
    single.node->on_link_down("rabbit@away");
    single.node->on_link_up("rabbit@late");
    hear("rabbit@late", Hello{"late", {1}});
    CHECK(let_in == Names{"rabbit@away"});
  }
}

TEST_CASE("members know each other's bulletins for as long as they are linked") {
  SingleNode single;
  single.add_member("rabbit@away");
  auto hear = [&](LinkMessage message) {
    base::Bytes bytes;
    encode_link_message(bytes, message);
    single.node->on_link_bytes("rabbit@away", bytes);
  };
  auto told = [&] {
    std::vector<std::string> texts;
    for (const auto& [peer, bytes] : single.node->take_frames()) {
      LinkParser parser;
      parser.feed(bytes);
      for (auto message = parser.take(); message && *message; message = parser.take())
        if (const auto* bulletin = std::get_if<Bulletin>(&**message))
          texts.push_back(bulletin->key + "=" + bulletin->text);
    }
    return texts;
  };
  using Texts = std::vector<std::string>;
  Texts heard;
  auto observe = [&](const catalog::NodeName& peer, const std::string& key, base::ByteView text) {
    heard.push_back(peer + ": " + key + "=" + std::string(text));
  };
  single.node->post("early", "1");
  single.node->post("gone", "1");
  single.node->post("gone", "");
  single.node->on_link_up("rabbit@away");
  hear(Hello{"uuid", {1}});
  CHECK(told() == Texts{"early=1"});
  single.node->post("early", "1");
  CHECK(told() == Texts{});
  single.node->post("early", "2");
  CHECK(told() == Texts{"early=2"});
  single.node->post("early", "");
  CHECK(told() == Texts{"early="});

  hear(Bulletin{"a", "1"});
  single.node->set_bulletin_observer(observe);
  CHECK(heard == Texts{"rabbit@away: a=1"});
  hear(Bulletin{"b", "2"});
  hear(Bulletin{"a", ""});
  single.node->on_link_down("rabbit@away");
  CHECK(heard == Texts{"rabbit@away: a=1", "rabbit@away: b=2", "rabbit@away: a=",
                       "rabbit@away: b="});
}

TEST_CASE("a channel that closes on hearing of its confirms hears nothing more") {
  SingleNode single;
  single.add_member("rabbit@away");
  catalog::QueueId queue = single.declare("q", {}, "rabbit@away");
  single.change(catalog::NodesDown{{{"rabbit@away", {1}}}});
  single.closes_when_confirmed = true;
  auto message = broker::Message::make({"", "q", "", "body", true, 0});
  single.node->publish(single.channel, {1}, message, {});
  single.node->publish(single.channel, {2}, message, {{queue}});
  single.turn();
  CHECK(single.rejections == 0);
}

TEST_CASE("what a channel held goes back when it ends, not when its publishes are safe") {
  SingleNode single;
  catalog::QueueId queue = single.declare("q");
  auto publish = [&](std::uint64_t seq, const char* body) {
    auto message = broker::Message::make({"", "q", "", body, true, 0});
    single.node->publish(single.channel, {seq}, message, {{queue}});
  };
  auto get = [&] {
    single.node->get(single.channel, single.next_request(), queue, false);
    single.turn();
  };
  publish(1, "first");
  single.turn();
  get();
  REQUIRE(single.got == std::vector<std::string>{"first"});
  single.disk_stands = true;
  publish(2, "second");
  single.turn();
  single.node->close_channel(single.channel);
  single.channel = single.node->open_channel(single);
  get();
  CHECK(single.got == std::vector<std::string>{"first", "first"});
  single.disk_stands = false;
  single.disk.run_all();
  single.turn();
  CHECK(single.errors == std::vector<std::string>());
}

namespace {

/// A node with many queues that all get every message.
struct Wide final : TestNode {
  Wide() {
    for (int i = 0; i < 100; ++i) queues.push_back(declare(fmt::format("q{}", i)));
  }
  struct Publisher final : broker::ChannelEvents {
    void on_uncongested() override {
      ++uncongested;
      if (goes_on) goes_on();
    }
    broker::ChannelId id;
    std::uint64_t published = 0;
    int uncongested = 0;
    std::function<void()> goes_on;
  };
  void publish(Publisher& publisher, std::uint64_t messages, bool persistent) {
    auto message = broker::Message::make({"x", "k", "", "body", persistent, 0});
    while (messages-- > 0)
      node->publish(publisher.id, {++publisher.published}, message, queues);
  }

  std::vector<catalog::QueueId> queues;
};

}  // namespace

TEST_CASE("copies for many queues hold back who publishes them, and others while they are many") {
  Wide wide;
  Wide::Publisher first, second, third;
  for (Wide::Publisher* each : {&first, &second, &third}) each->id = wide.node->open_channel(*each);
  wide.disk_stands = true;
  // In turns that are not too long for themselves.
  auto publish = [&](Wide::Publisher& publisher, int hundreds) {
    for (int i = 0; i < hundreds; ++i) {
      wide.publish(publisher, 100, true);
      wide.node->end_turn();
    }
    return wide.node->is_congested(publisher.id);
  };
  CHECK(publish(first, 7));
  CHECK_FALSE(publish(second, 6));
  CHECK_FALSE(wide.node->is_congested(third.id));
  CHECK(publish(third, 1));
  CHECK(wide.node->is_congested(second.id));
  wide.disk_stands = false;
  wide.turn();
  for (Wide::Publisher* each : {&first, &second, &third}) {
    CHECK(each->uncongested == 1);
    CHECK_FALSE(wide.node->is_congested(each->id));
  }
}

TEST_CASE("a turn makes only so many copies, and everybody comes to it") {
  Wide wide;
  std::vector<Wide::Publisher> publishers(40);
  for (Wide::Publisher& each : publishers) each.id = wide.node->open_channel(each);
  SUBCASE("of what waits in the channels") {
    for (Wide::Publisher& each : publishers)
      each.goes_on = [&] {
        wide.publish(each, 40, false);
        wide.node->is_congested(each.id);
      };
  }
  SUBCASE("of what will be read") {}
  auto count = [&](auto Wide::Publisher::* what) {
    std::uint64_t sum = 0;
    for (const Wide::Publisher& each : publishers) sum += static_cast<std::uint64_t>(each.*what);
    return sum;
  };
  for (Wide::Publisher& each : publishers) {
    wide.publish(each, 40, false);
    wide.node->is_congested(each.id);
  }
  for (int turn = 0; turn < 10; ++turn) {
    const std::uint64_t before = count(&Wide::Publisher::uncongested);
    wide.node->end_turn();
    wide.disk.run_all();
    CHECK(count(&Wide::Publisher::uncongested) - before <= 17);
  }
  // The first of them had their place in the first turn.
  for (std::size_t i = 16; i < publishers.size(); ++i) CHECK(publishers[i].uncongested >= 1);
}
