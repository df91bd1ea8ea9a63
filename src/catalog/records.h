#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/field_value.h"
#include "catalog/names.h"

/// What the catalog holds, a struct for each kind of thing that users name.
namespace warren::catalog {

/// How much there may be at most in the whole cluster. Nothing and negative numbers: no limit.
struct Limits {
  std::optional<std::int64_t> max_connections = {};
  std::optional<std::int64_t> max_channels = {};  ///< of users
  std::optional<std::int64_t> max_queues = {};    ///< of vhosts
  bool operator==(const Limits&) const = default;
};

struct Vhost {
  std::string name;
  std::string description;
  std::vector<std::string> tags;
  /// Only commands for limits change them.
  std::optional<Limits> limits = {};
  bool operator==(const Vhost&) const = default;
};

struct User {
  std::string name;
  /// Salt and digest as RabbitMQ stores them (4 octets of salt, then the digest); empty refuses
  /// every password.
  std::string password_hash;
  std::string hashing_algorithm = "rabbit_password_hashing_sha256";
  std::vector<std::string> tags;
  Limits limits = {};
  bool operator==(const User&) const = default;
};

/// Regular expressions, unanchored; an empty one matches only the empty name.
struct Permission {
  std::string user;
  std::string vhost;
  std::string configure;
  std::string write;
  std::string read;
  bool operator==(const Permission&) const = default;
};

/// Of one user's one exchange.
struct TopicPermissionName {
  std::string vhost;
  std::string user;
  std::string exchange;
  auto operator<=>(const TopicPermissionName&) const = default;
};

/// Regular expressions over the routing keys of a topic exchange, which need not exist. Without
/// such a record all keys are allowed.
struct TopicPermission {
  TopicPermissionName name;
  std::string write;
  std::string read;
  bool operator==(const TopicPermission&) const = default;
};

struct Exchange {
  ResourceName name;
  std::string type;  ///< direct, fanout and so on; those of plugins start with x-
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  base::FieldTable arguments;
  std::string policy;  ///< the name of the policy that applies, or empty
  bool operator==(const Exchange&) const = default;
};

enum class DestinationKind : std::uint8_t { queue, exchange };

/// A binding is identified by all its fields. The bindings of the default exchange are implied
/// by the queues and are not stored.
struct Binding {
  ResourceName source;
  DestinationKind destination_kind = DestinationKind::queue;
  std::string destination;  ///< in the source's vhost
  std::string routing_key;
  base::FieldTable arguments;
  bool operator==(const Binding&) const = default;
};

struct ExclusiveOwner {
  ConnectionId connection;
  NodeName node;
  bool operator==(const ExclusiveOwner&) const = default;
};

/// A queue with its placement. `replicas` are in order of age, `in_sync` is a subset of them in
/// the same order, and `leader` is one of `in_sync`.
struct Queue {
  QueueId id;
  ResourceName name;
  bool durable = false;
  bool auto_delete = false;
  std::optional<ExclusiveOwner> exclusive_owner;
  base::FieldTable arguments;
  std::string policy;           ///< the name of the policy that applies, or empty
  std::string operator_policy;  ///< that of the operator's policy

  NodeName leader;
  Epoch epoch;
  std::vector<NodeName> replicas;
  std::vector<NodeName> in_sync;
  /// Grows whenever the replicas change or one of them restarts.
  std::uint64_t placement_version = 0;

  bool is_exclusive() const { return exclusive_owner.has_value(); }
  bool operator==(const Queue&) const = default;
};

enum class AppliesTo : std::uint8_t { all, queues, exchanges };

struct Policy {
  ResourceName name;
  std::string pattern;     ///< regular expression over queue or exchange names, unanchored
  std::string definition;  ///< a JSON object, as text, already validated
  std::int32_t priority = 0;
  AppliesTo applies_to = AppliesTo::all;
  bool operator==(const Policy&) const = default;
};

enum class NodeKind : std::uint8_t { disc, ram };

/// One run of a node's process.
struct NodeRun {
  NodeName name;
  Incarnation incarnation;
  bool operator==(const NodeRun&) const = default;
};

struct Node {
  NodeName name;
  NodeKind kind = NodeKind::disc;
  /// The identity in the node's data directory; another directory under the same name is
  /// another node.
  std::string uuid;
  /// The run of the process that is up now, or was up last.
  Incarnation incarnation;
  bool running = false;
  bool operator==(const Node&) const = default;
};

}  // namespace warren::catalog
