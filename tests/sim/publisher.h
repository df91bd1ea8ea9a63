#pragma once

#include <map>
#include <vector>

#include "sim/client.h"

namespace warren::sim {

/// Publishes with confirms, and again what was not confirmed when its channel was lost.
class Publisher final : public Client {
 public:
  /// The queue whose messages may have expirations of their own.
  static constexpr const char* short_lived = "ha.short";

  struct Plan {
    std::vector<std::string> queues;
    base::Duration interval = std::chrono::milliseconds(30);
    unsigned transient_percent = 10;
    unsigned two_queues_percent = 10;
    std::size_t max_unconfirmed = 100;
    std::size_t max_padding = 400;
  };

  Publisher(World& world, Ledger& ledger, std::string name, Plan plan);

  bool is_idle() const override { return unconfirmed_.empty() && again_.empty(); }
  std::string describe() const override;
  std::size_t confirmed() const { return confirmed_; }

  void on_confirmed(std::span<const PublishSeq> publishes) override;
  void on_rejected(std::span<const PublishSeq> publishes) override;

 private:
  struct Item {
    std::vector<std::string> queues;
    bool is_persistent = true;
  };

  void on_connected() override;
  void on_disconnected() override;
  void publish_next();
  void publish(Item item);
  Item make_item();

  Plan plan_;
  PublishSeq last_seq_;
  std::size_t confirmed_ = 0;
  std::map<PublishSeq, Item> unconfirmed_;
  std::vector<Item> again_;
};

}  // namespace warren::sim
