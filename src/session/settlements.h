#pragma once

#include <vector>

#include "broker/channel.h"
#include "session/unacknowledged.h"

namespace warren::session::amqp091 {

/// Settlements on their way from a connection's channels to the queues: neighbours of the same
/// channel, queue, lease and outcome go with one call.
class Settlements {
 public:
  explicit Settlements(broker::Gateway& gateway) : gateway_(gateway) {}

  void add(broker::ChannelId channel, const Unsettled& delivery, broker::Outcome outcome);
  /// Hands over what is left; to be called before the gateway is asked for anything else, and
  /// before the control goes back to the owner. The destructor hands over nothing.
  void finish() {
    if (!run_.empty()) hand_over();
  }

 private:
  void hand_over();

  broker::Gateway& gateway_;
  broker::ChannelId channel_;
  catalog::QueueId queue_;
  broker::Lease lease_;
  broker::Outcome outcome_ = broker::Outcome::acknowledged;
  std::vector<broker::MessageIndex> run_;
};

}  // namespace warren::session::amqp091
