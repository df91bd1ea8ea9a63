#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "broker/death.h"
#include "broker/message.h"
#include "broker/router.h"

namespace warren::cluster {

/// Where a queue's dead go.
struct DeadLetterRule {
  std::string exchange;                    ///< in the queue's vhost
  std::optional<std::string> routing_key;  ///< instead of the keys that a message came with

  bool operator==(const DeadLetterRule&) const = default;
};

/// A message as it leaves the queue in which it died, and the queues that it goes to. None, when
/// its exchange is not there or leads nowhere, or only back where it has been in a circle.
struct DeadLetter {
  broker::Message message;
  std::vector<catalog::QueueId> queues;
};

DeadLetter make_dead_letter(const broker::Message& message, broker::DeathReason reason,
                            const catalog::ResourceName& queue, const DeadLetterRule& rule,
                            base::WallTime now, const catalog::Catalog& catalog,
                            broker::Router& router);

}  // namespace warren::cluster
