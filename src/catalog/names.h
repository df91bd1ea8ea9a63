#pragma once

#include <compare>
#include <string>

#include "base/id.h"

namespace warren::catalog {

/// "rabbit1@host".
using NodeName = std::string;

/// A queue's identity: never used again, unlike its name.
using QueueId = base::Id<struct QueueTag>;
/// The number of a queue's leadership. It grows with each new leader, and a replica refuses
/// entries of an older one.
using Epoch = base::Id<struct EpochTag>;
/// One client connection, unique among all nodes and all their restarts.
using ConnectionId = base::Id<struct ConnectionTag>;
/// One run of a node's process; a restart makes a greater one.
using Incarnation = base::Id<struct IncarnationTag>;

/// A name within a vhost: of an exchange, a queue, a policy or a user's permission.
struct ResourceName {
  std::string vhost;
  std::string name;

  auto operator<=>(const ResourceName&) const = default;
};

}  // namespace warren::catalog
