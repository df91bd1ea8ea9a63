#pragma once

#include <map>
#include <set>

#include "sim/client.h"

namespace warren::sim {

/// Publishes messages that are to wait at an exchange that delays, and takes them when they come:
/// each that was confirmed at least once, and none before its time.
class Delayer final : public Client {
 public:
  Delayer(World& world, Ledger& ledger) : Client(world, ledger, "delayer") {}

  static constexpr const char* exchange = "late";
  static constexpr const char* queue = "ha.late";

  /// All that was confirmed has come.
  bool is_idle() const override { return unconfirmed_.empty() && missing_.empty(); }
  std::string describe() const override;
  std::size_t taken() const { return taken_.size(); }

  void on_confirmed(std::span<const PublishSeq> publishes) override;
  void on_rejected(std::span<const PublishSeq> publishes) override;
  void on_delivery(std::string_view consumer_tag, const broker::Delivery& delivery) override;
  void on_consumer_cancelled(std::string_view consumer_tag) override;
  void on_reply(broker::RequestId request, base::Result<broker::Reply> reply) override;

 private:
  /// Counts the messages, over all channels.
  using Number = std::uint64_t;

  void on_connected() override;
  void on_disconnected() override;
  void prepare();
  void declare_missing(cluster::Node& node);
  void publish_next();
  void publish(cluster::Node& node);

  Number last_ = 0;
  PublishSeq last_seq_;
  std::map<PublishSeq, Number> unconfirmed_;
  std::set<Number> missing_;  ///< confirmed, and not taken yet
  std::set<Number> taken_;
  std::map<Number, base::WallTime> due_;
  broker::RequestId subscribing_;
  bool is_consuming_ = false;
};

}  // namespace warren::sim
