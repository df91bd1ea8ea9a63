#pragma once

#include <deque>
#include <map>
#include <vector>

#include "sim/client.h"

namespace warren::sim {

/// Consumes one queue, or gets from it, and settles what it receives in several ways.
class Consumer final : public Client {
 public:
  enum class Way { consume, get };
  struct Plan {
    std::string queue;
    Way way = Way::consume;
    std::uint16_t prefetch = 10;
    bool no_ack = false;
    unsigned requeue_percent = 15;
    unsigned reject_percent = 10;
    std::string dead_letters = {};  ///< where what is rejected goes, if anywhere
    unsigned sync_percent = 20;
    base::Duration slowness = std::chrono::milliseconds(40);
  };

  Consumer(World& world, Ledger& ledger, std::string name, Plan plan);

  /// Deliveries that it has and has not settled, and requests without an answer.
  bool is_idle() const override { return held_ == 0 && syncs_.empty(); }
  std::string describe() const override;
  std::size_t received() const { return received_; }

  void on_delivery(std::string_view consumer_tag, const broker::Delivery& delivery) override;
  void on_consumer_cancelled(std::string_view consumer_tag) override;
  void on_got(broker::RequestId request, base::Result<std::optional<broker::Delivery>> delivery,
              std::uint64_t remaining) override;
  void on_reply(broker::RequestId request, base::Result<broker::Reply> reply) override;

 private:
  struct Settled {
    QueueId queue;
    std::uint64_t message;
  };

  void on_connected() override;
  void on_disconnected() override;
  void subscribe();
  void get_next();
  void take(const broker::Delivery& delivery);
  void settle(QueueId queue, broker::Lease lease, broker::MessageIndex index,
              std::uint64_t message);

  Plan plan_;
  std::uint64_t last_tag_ = 0;
  std::string tag_;
  broker::RequestId subscribing_;
  std::size_t held_ = 0;
  std::size_t received_ = 0;
  std::uint32_t credit_ = 0;
  broker::Lease lease_;
  /// Settled since the last sync.
  std::vector<Settled> unsynced_;
  std::map<broker::RequestId, std::vector<Settled>> syncs_;
};

}  // namespace warren::sim
