#pragma once

#include <cstdint>
#include <vector>

#include "broker/channel.h"
#include "session/unacknowledged.h"

namespace warren::session::amqp091 {

/// A publish that was checked, on its way to its queues.
struct OutgoingPublish {
  broker::Message message;
  bool mandatory = false;
  /// Its exchange holds it back: nobody knows yet where it will go.
  bool is_held_back = false;
};

/// What a channel gathers between tx.select or the last end and the next commit or rollback.
struct Transaction {
  struct RoutedPublish {
    OutgoingPublish publish;
    /// By name: what has been deleted by the commit gets nothing, what was declared again does.
    std::vector<catalog::ResourceName> queues;
  };
  struct Settlement {
    std::vector<Unsettled> deliveries;
    broker::Outcome outcome = broker::Outcome::acknowledged;
  };

  std::vector<RoutedPublish> publishes;
  std::vector<Settlement> settlements;
  std::size_t bytes = 0;  ///< of the publishes, in memory

  std::uint64_t uncommitted_acks() const {
    std::uint64_t count = 0;
    for (const Settlement& settlement : settlements) count += settlement.deliveries.size();
    return count;
  }
};

/// A commit that waits for its publishes' confirms and for its settlements to be durable.
struct Commit {
  broker::RequestId sync;
  broker::PublishSeq first_publish;  ///< earlier ones are not of this transaction
  bool is_synced = false;
  bool has_failed = false;
  std::uint64_t unconfirmed = 0;
};

}  // namespace warren::session::amqp091
