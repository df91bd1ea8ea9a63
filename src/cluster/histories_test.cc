#include "cluster/histories.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "broker/test_catalog.h"

using namespace warren;
using namespace warren::cluster;

namespace {

broker::Message message(const std::string& body) {
  return broker::Message::make({.exchange = "x", .routing_key = "k", .body = body});
}

std::string bodies(const std::deque<broker::Message>& messages) {
  std::string all;
  for (const broker::Message& each : messages)
    all += (all.empty() ? "" : " ") + std::string(each.body());
  return all;
}

/// A node n@h with the exchange x and the queue q, linked to away@h; keeps what is sent.
struct Member final : QueueContext, base::Clock {
  explicit Member(base::FieldTable arguments = {}) {
    fixture.exchange("x", "x-recent-history", std::move(arguments));
    queue = fixture.queue("q");
    fixture.apply(catalog::AddNode{"away@h", catalog::NodeKind::disc, "uuid-2"});
  }

  const NodeName& self() const override { return name; }
  const catalog::Catalog& catalog() const override { return fixture.catalog; }
  void send(const NodeName& to, LinkMessage message) override {
    sent.emplace_back(to, std::move(message));
  }
  bool is_linked(const NodeName&) const override { return true; }
  std::size_t link_backlog(const NodeName&) const override { return backlog; }
  bool must_wait_for_memory(catalog::QueueId) override { return false; }
  const base::Clock& clock() const override { return *this; }
  base::Time now() const override { return {}; }
  base::WallTime wall_time() const override { return {}; }
  void wake(QueueId) override {}
  void wake_at(QueueId, base::Time) override {}
  broker::Router& router() override { return own_router; }
  Channels& channels() override { return own_channels; }
  void remember(const catalog::ResourceName&, const broker::Message&) override { std::abort(); }
  void propose(const catalog::Command&, Done) override {}
  void catch_up(std::function<void()>) override { std::abort(); }

  void remember(const std::string& body) { histories.remember({"/", "x"}, message(body)); }
  /// As a node does it; the bodies that went to queues.
  std::string bind(const std::string& to, const std::string& key = "", bool is_ours = true) {
    const catalog::AddBinding command{fixture.binding("x", to, key, {})};
    if (is_ours) CHECK(histories.expect(command));
    fixture.apply(command);
    if (is_ours) histories.on_proposal_done(command);
    own_channels.flush();
    std::string published;
    for (auto& [node, message] : std::exchange(sent, {}))
      if (const auto* to_queue = std::get_if<ToQueue>(&message))
        if (const auto* batch = std::get_if<PublishTo>(&to_queue->request))
          for (const Publish& publish : batch->publishes)
            published += (published.empty() ? "" : " ") + std::string(publish.message.body());
    return published;
  }
  /// What was told to the other member.
  std::vector<Remembered> told() {
    std::vector<Remembered> all;
    for (auto& [node, message] : std::exchange(sent, {}))
      if (auto* remembered = std::get_if<Remembered>(&message)) {
        CHECK(node == "away@h");
        all.push_back(std::move(*remembered));
      }
    return all;
  }

  NodeName name = "n@h";
  std::size_t backlog = 0;
  broker::CatalogFixture fixture;
  QueueId queue;
  std::vector<std::pair<NodeName, LinkMessage>> sent;
  broker::Router own_router{fixture.catalog};
  Channels own_channels{*this, *this, ChannelId{1}, std::chrono::seconds(15)};
  Histories histories{*this};
};

}  // namespace

TEST_CASE("a history is the newest messages, bounded in number and in bytes") {
  History history;
  for (const char* body : {"1", "2", "3"}) history.add(message(body), 2);
  CHECK(bodies(history.messages()) == "2 3");
  const std::string large(History::max_bytes / 3, 'x');
  for (int i = 0; i < 5; ++i) history.add(message(large), 10);
  CHECK(history.messages().size() == 2);
  CHECK(history.bytes() <= History::max_bytes);
  history.add(message(std::string(History::max_bytes, 'x')), 10);
  CHECK(history.messages().size() == 2);
}

TEST_CASE("who binds late gets the last messages, once for each new binding") {
  Member member({{"x-recent-history-length", base::FieldValue(std::int32_t{2})}});
  CHECK(member.bind("q", "before") == "");
  for (const char* body : {"1", "2", "3"}) member.remember(body);
  CHECK(member.bind("q") == "2 3");
  CHECK(member.bind("q") == "");
  CHECK(member.bind("q", "another") == "2 3");
  CHECK(member.bind("q", "by another node", false) == "");
}

TEST_CASE("a history goes on through an exchange that binds late") {
  Member member;
  member.fixture.bind("amq.direct", "q", "k");
  member.remember("1");
  CHECK(member.bind("->amq.direct") == "1");
}

TEST_CASE("members tell each other what they remember") {
  Member one, other;
  one.remember("1");
  for (const Remembered& remembered : one.told()) other.histories.on_message(remembered);
  CHECK(other.bind("q") == "1");
  Member late;
  one.histories.on_linked("away@h");
  for (Remembered& remembered : one.told()) {
    CHECK(remembered.is_all);
    late.histories.on_message(remembered);
    late.histories.on_message(remembered);
  }
  CHECK(late.bind("q") == "1");
  one.backlog = SIZE_MAX;
  one.remember("2");
  CHECK(one.told().empty());
}

TEST_CASE("a history ends with its exchange") {
  Member member;
  member.remember("1");
  member.fixture.apply(catalog::DeleteExchange{{"/", "x"}});
  member.fixture.exchange("x", "x-recent-history");
  CHECK(member.bind("q") == "");
  member.remember("2");
  CHECK(member.bind("q", "later") == "2");
}

TEST_CASE("all histories together are bounded") {
  Member member;
  const broker::Message large = message(std::string(History::max_bytes - 1000, 'x'));
  std::size_t kept = 0;
  for (int i = 0; i < 30; ++i)
    member.histories.remember({"/", "x" + std::to_string(i)}, large);
  member.sent.clear();
  member.histories.on_linked("away@h");
  for (const Remembered& remembered : member.told()) kept += remembered.messages.size();
  CHECK(kept == Histories::max_bytes / History::max_bytes);
}
