#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/field_value.h"
#include "broker/channel.h"
#include "broker/router.h"

namespace warren::session::amqp091 {

/// Copies what this node's clients publish and what they are given, in the vhosts that an operator
/// wants to watch (trace_on). A copy goes to the vhost's exchange amq.rabbitmq.trace under the key
/// "publish.EXCHANGE" or "deliver.QUEUE"; its headers tell what was seen, its body is the
/// message's. Nobody waits for copies: while too many are under way, further ones are left out.
/// One per shard; which vhosts are watched is not kept.
class Firehose final : public broker::ChannelEvents {
 public:
  /// Both must outlive it.
  Firehose(broker::Gateway& gateway, broker::Router& router)
      : gateway_(gateway), router_(router) {}
  ~Firehose() override;
  Firehose(const Firehose&) = delete;
  Firehose& operator=(const Firehose&) = delete;

  void trace(const std::string& vhost, bool is_on);
  bool is_tracing(std::string_view vhost) const {
    return !vhosts_.empty() && vhosts_.contains(vhost);
  }

  /// The channel that something came from or went to.
  struct Place {
    const std::string& vhost;
    std::string connection;  ///< its name
    const std::string& user;
    std::uint16_t channel;
  };
  void copy_publish(const Place& from, const broker::Message& message,
                    std::span<const catalog::QueueId> queues);
  void copy_delivery(const Place& to, const broker::Delivery& delivery);

 private:
  base::FieldTable describe(const broker::Message& message) const;
  void send(const Place& place, std::string routing_key, const base::FieldTable& headers,
            const broker::Message& message);

  broker::Gateway& gateway_;
  broker::Router& router_;
  std::set<std::string, std::less<>> vhosts_;
  broker::ChannelId channel_;  ///< none before the first vhost is watched
  broker::PublishSeq last_publish_;
  std::vector<catalog::QueueId> routed_;  ///< kept for its memory
};

}  // namespace warren::session::amqp091
