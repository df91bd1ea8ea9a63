#include "server/gateway_tap.h"

#include <doctest/doctest.h>

#include <vector>

using namespace warren;
using namespace warren::server;
using broker::ChannelId;

namespace {

/// Remembers who listens on which channel; everything else does nothing.
class FakeNode final : public broker::Gateway {
 public:
  const catalog::Catalog& catalog() const override { return catalog_; }
  const catalog::NodeName& node_name() const override { return name_; }
  ChannelId open_channel(broker::ChannelEvents& events) override {
    listeners.push_back(&events);
    return {listeners.size()};
  }
  void close_channel(ChannelId channel) override { closed.push_back(channel); }
  void publish(ChannelId, broker::PublishSeq, const broker::Message&,
               std::span<const catalog::QueueId>) override {}
  bool is_congested(ChannelId) const override { return false; }
  void subscribe(ChannelId, broker::RequestId, catalog::QueueId,
                 const broker::Subscription&) override {}
  void unsubscribe(ChannelId, broker::RequestId, std::string_view) override {}
  void grant(ChannelId, std::string_view, std::uint32_t) override {}
  void limit_unacknowledged(ChannelId, std::uint16_t) override {}
  void get(ChannelId, broker::RequestId, catalog::QueueId, bool) override {}
  void settle(ChannelId, catalog::QueueId, broker::Lease, std::span<const broker::MessageIndex>,
              broker::Outcome) override {}
  void sync(ChannelId, broker::RequestId) override {}
  void count(ChannelId, broker::RequestId, catalog::QueueId) override {}
  void purge(ChannelId, broker::RequestId, catalog::QueueId) override {}
  void delete_queue(ChannelId, broker::RequestId, catalog::QueueId, bool, bool) override {}
  void change(ChannelId, broker::RequestId, const catalog::Command&) override {}

  std::vector<broker::ChannelEvents*> listeners;
  std::vector<ChannelId> closed;

 private:
  catalog::Catalog catalog_;
  catalog::NodeName name_ = "a@host";
};

/// A channel that opens or closes channels when it hears that it may go on.
class Listener final : public broker::ChannelEvents {
 public:
  void on_confirmed(std::span<const broker::PublishSeq>) override {}
  void on_rejected(std::span<const broker::PublishSeq>) override {}
  void on_delivery(std::string_view, const broker::Delivery&) override {}
  void on_consumer_cancelled(std::string_view) override {}
  void on_got(broker::RequestId, base::Result<std::optional<broker::Delivery>>,
              std::uint64_t) override {}
  void on_reply(broker::RequestId, base::Result<broker::Reply>) override {}
  void on_uncongested() override {
    if (action) action();
  }
  std::function<void()> action;
};

}  // namespace

TEST_CASE("what a channel hears is noted for the connection that opened it") {
  FakeNode node;
  std::vector<GatewayTap::Owner> heard;
  GatewayTap tap(node, [&](GatewayTap::Owner owner) { heard.push_back(owner); });
  Listener first, second, nested;
  {
    GatewayTap::Scope scope(tap, 1);
    tap.open_channel(first);
  }
  {
    GatewayTap::Scope scope(tap, 2);
    tap.open_channel(second);
  }
  node.listeners[1]->on_uncongested();
  node.listeners[0]->on_confirmed({});
  CHECK(heard == std::vector<GatewayTap::Owner>{2, 1});

  first.action = [&] { tap.open_channel(nested); };
  node.listeners[0]->on_uncongested();
  node.listeners[2]->on_uncongested();
  CHECK(heard == std::vector<GatewayTap::Owner>{2, 1, 1, 1});
}

TEST_CASE("a channel may be closed by what it hears") {
  FakeNode node;
  GatewayTap tap(node, [](GatewayTap::Owner) {});
  Listener listener;
  ChannelId channel;
  {
    GatewayTap::Scope scope(tap, 1);
    channel = tap.open_channel(listener);
  }
  listener.action = [&] { tap.close_channel(channel); };
  node.listeners[0]->on_uncongested();
  CHECK(node.closed == std::vector<ChannelId>{channel});
}
