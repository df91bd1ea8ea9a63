#include "server/gateway_tap.h"

namespace warren::server {

/// Hears for one channel.
class GatewayTap::Ear final : public broker::ChannelEvents {
 public:
  Ear(GatewayTap& tap, Owner owner, broker::ChannelEvents& events)
      : tap_(tap), owner_(owner), events_(events) {}

  void on_confirmed(std::span<const broker::PublishSeq> publishes) override {
    Hearing hearing(*this);
    events_.on_confirmed(publishes);
  }
  void on_rejected(std::span<const broker::PublishSeq> publishes) override {
    Hearing hearing(*this);
    events_.on_rejected(publishes);
  }
  void on_delivery(std::string_view consumer_tag, const broker::Delivery& delivery) override {
    Hearing hearing(*this);
    events_.on_delivery(consumer_tag, delivery);
  }
  void on_consumer_cancelled(std::string_view consumer_tag) override {
    Hearing hearing(*this);
    events_.on_consumer_cancelled(consumer_tag);
  }
  void on_got(broker::RequestId request, base::Result<std::optional<broker::Delivery>> delivery,
              std::uint64_t remaining) override {
    Hearing hearing(*this);
    events_.on_got(request, std::move(delivery), remaining);
  }
  void on_reply(broker::RequestId request, base::Result<broker::Reply> reply) override {
    Hearing hearing(*this);
    events_.on_reply(request, std::move(reply));
  }
  void on_uncongested() override {
    Hearing hearing(*this);
    events_.on_uncongested();
  }

 private:
  /// One event: what it opens belongs to the same connection, and it keeps closed ears alive.
  class Hearing {
   public:
    explicit Hearing(Ear& ear) : tap_(ear.tap_), owner_(ear.owner_), scope_(tap_, owner_) {
      ++tap_.depth_;
    }
    ~Hearing() {
      if (--tap_.depth_ == 0) tap_.retired_.clear();
      tap_.on_heard_(owner_);
    }

   private:
    GatewayTap& tap_;
    Owner owner_;
    Scope scope_;
  };

  GatewayTap& tap_;
  Owner owner_;
  broker::ChannelEvents& events_;
};

GatewayTap::GatewayTap(broker::Gateway& inner, OnHeard on_heard)
    : inner_(inner), on_heard_(std::move(on_heard)) {}
GatewayTap::~GatewayTap() = default;

broker::ChannelId GatewayTap::open_channel(broker::ChannelEvents& events) {
  auto ear = std::make_unique<Ear>(*this, owner_, events);
  auto id = inner_.open_channel(*ear);
  ears_.emplace(id, std::move(ear));
  return id;
}

void GatewayTap::close_channel(broker::ChannelId channel) {
  inner_.close_channel(channel);
  auto at = ears_.find(channel);
  if (at == ears_.end()) return;
  if (depth_ > 0) retired_.push_back(std::move(at->second));
  ears_.erase(at);
}

}  // namespace warren::server
