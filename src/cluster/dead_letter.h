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
  /// Nothing died: the messages had to wait for that exchange, and go on as they came.
  bool is_delay = false;

  bool operator==(const DeadLetterRule&) const = default;
};

/// A message as it leaves the queue in which it died or waited, and the queues that it goes to.
/// None, when its exchange is not there or leads nowhere, or only back where it has been in a
/// circle.
struct DeadLetter {
  broker::Message message;
  std::vector<catalog::QueueId> queues;
  std::vector<catalog::ResourceName> histories;  ///< exchanges that are to remember it
};

DeadLetter make_dead_letter(const broker::Message& message, broker::DeathReason reason,
                            const catalog::ResourceName& queue, const DeadLetterRule& rule,
                            base::WallTime now, const catalog::Catalog& catalog,
                            broker::Router& router);

/// The message as it waits in its exchange's queue: on disk in any case, as it may be for long. Its
/// header x-delay says for how long; without one it is due at once.
broker::Message make_delayed(const broker::Message& message, base::WallTime now);
/// One that was delayed and is due, as its publisher sent it, but with a negative x-delay.
DeadLetter make_due_letter(const broker::Message& message, const catalog::ResourceName& exchange,
                           broker::Router& router);

}  // namespace warren::cluster
