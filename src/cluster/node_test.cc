#include "cluster/node.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

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

TEST_CASE("copies for many queues hold back who publishes them, and others while they are many") {
  TestNode single;
  std::vector<catalog::QueueId> queues;
  for (int i = 0; i < 100; ++i) queues.push_back(single.declare(fmt::format("q{}", i)));
  struct Listener final : broker::ChannelEvents {
    void on_uncongested() override { ++uncongested; }
    int uncongested = 0;
  } first, second, third;
  const broker::Message message = broker::Message::make({"x", "k", "", "body"});
  auto publish = [&](broker::ChannelId channel, std::uint64_t messages) {
    for (std::uint64_t seq = 1; seq <= messages; ++seq)
      single.node->publish(channel, {seq}, message, queues);
    return single.node->is_congested(channel);
  };
  const auto a = single.node->open_channel(first), b = single.node->open_channel(second),
             c = single.node->open_channel(third);
  CHECK(publish(a, 700));
  CHECK_FALSE(publish(b, 600));
  CHECK_FALSE(single.node->is_congested(c));
  CHECK(publish(c, 50));
  CHECK(single.node->is_congested(b));
  single.turn();
  for (const Listener* listener : {&first, &second, &third}) CHECK(listener->uncongested == 1);
  for (broker::ChannelId channel : {a, b, c}) CHECK_FALSE(single.node->is_congested(channel));
}
