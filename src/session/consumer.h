#pragma once

#include <cstdint>
#include <string>

#include "broker/channel.h"

namespace warren::session::amqp091 {

/// What a channel knows of one of its consumers.
struct Consumer {
  enum class Stage { subscribing, active, cancelling };
  catalog::QueueId queue;
  Stage stage = Stage::subscribing;
  bool no_wait = false;
  bool no_ack = false;
  bool is_settled_here = false;  ///< no_ack, but the queue waits for us to acknowledge
  bool is_for_replies = false;
  std::uint32_t credit = 0;       ///< deliveries that the queue may still send
  std::uint32_t grant_at = 0;     ///< what it sinks to before more is granted
  std::size_t average_bytes = 0;  ///< of the bodies lately
};

/// A delivery beyond the channel's prefetch: its queue does not know of the other queues.
struct HeldUp {
  std::string consumer_tag;
  broker::Delivery delivery;
};

}  // namespace warren::session::amqp091
