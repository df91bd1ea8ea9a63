#pragma once

#include <functional>
#include <map>
#include <memory>

#include "broker/channel.h"

namespace warren::server {

/// Stands between client connections and the node and notes which connection hears something, so
/// that a turn costs nothing for connections that are idle.
class GatewayTap final : public broker::Gateway {
 public:
  /// Names a connection; chosen by the owner.
  using Owner = std::uint64_t;
  using OnHeard = std::function<void(Owner)>;

  /// `inner` must outlive the tap. `on_heard` is called after each event for a channel.
  GatewayTap(broker::Gateway& inner, OnHeard on_heard);
  ~GatewayTap() override;

  /// While it lives, channels that are opened belong to that connection.
  class Scope {
   public:
    Scope(GatewayTap& tap, Owner owner) : tap_(tap), before_(tap.owner_) { tap.owner_ = owner; }
    ~Scope() { tap_.owner_ = before_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    GatewayTap& tap_;
    Owner before_;
  };

  const catalog::Catalog& catalog() const override { return inner_.catalog(); }
  const catalog::NodeName& node_name() const override { return inner_.node_name(); }
  broker::ChannelId open_channel(broker::ChannelEvents& events) override;
  void close_channel(broker::ChannelId channel) override;
  void publish(broker::ChannelId channel, broker::PublishSeq seq, const broker::Message& message,
               std::span<const catalog::QueueId> queues) override {
    inner_.publish(channel, seq, message, queues);
  }
  bool is_congested(broker::ChannelId channel) const override {
    return inner_.is_congested(channel);
  }
  void subscribe(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
                 const broker::Subscription& subscription) override {
    inner_.subscribe(channel, request, queue, subscription);
  }
  void unsubscribe(broker::ChannelId channel, broker::RequestId request,
                   std::string_view consumer_tag) override {
    inner_.unsubscribe(channel, request, consumer_tag);
  }
  void grant(broker::ChannelId channel, std::string_view consumer_tag,
             std::uint32_t credit) override {
    inner_.grant(channel, consumer_tag, credit);
  }
  void limit_unacknowledged(broker::ChannelId channel, std::uint16_t limit) override {
    inner_.limit_unacknowledged(channel, limit);
  }
  void get(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
           bool no_ack) override {
    inner_.get(channel, request, queue, no_ack);
  }
  void settle(broker::ChannelId channel, catalog::QueueId queue, broker::Lease lease,
              std::span<const broker::MessageIndex> messages, broker::Outcome outcome) override {
    inner_.settle(channel, queue, lease, messages, outcome);
  }
  void sync(broker::ChannelId channel, broker::RequestId request) override {
    inner_.sync(channel, request);
  }
  void count(broker::ChannelId channel, broker::RequestId request,
             catalog::QueueId queue) override {
    inner_.count(channel, request, queue);
  }
  void purge(broker::ChannelId channel, broker::RequestId request,
             catalog::QueueId queue) override {
    inner_.purge(channel, request, queue);
  }
  void delete_queue(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
                    bool if_unused, bool if_empty) override {
    inner_.delete_queue(channel, request, queue, if_unused, if_empty);
  }
  void change(broker::ChannelId channel, broker::RequestId request,
              const catalog::Command& command) override {
    inner_.change(channel, request, command);
  }

 private:
  class Ear;

  broker::Gateway& inner_;
  OnHeard on_heard_;
  Owner owner_ = 0;
  std::map<broker::ChannelId, std::unique_ptr<Ear>> ears_;
  /// Ears of channels that were closed, perhaps from inside one of their own events.
  std::vector<std::unique_ptr<Ear>> retired_;
  int depth_ = 0;
};

}  // namespace warren::server
