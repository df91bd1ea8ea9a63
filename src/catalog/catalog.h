#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "catalog/bindings.h"
#include "catalog/command.h"
#include "catalog/policy_definition.h"
#include "catalog/records.h"
#include "catalog/route_listener.h"

namespace warren::catalog {

struct CompiledPolicy;

/// What an applied command changed, for those who keep something that depends on it.
struct QueueAdded { QueueId queue; };
struct QueueRemoved { Queue queue; };  ///< as it was
/// Leader, epoch, replicas, in_sync, the policy or what it says changed.
struct QueuePlaced { QueueId queue; };
struct VhostRemoved { std::string name; };
struct VhostChanged { std::string name; };  ///< its limits
/// Password, tags, limits or permissions changed, or the user is gone.
struct UserChanged { std::string name; };
/// A member was added, removed, came up, went down or changed its kind.
struct NodeChanged { NodeName name; };
struct PolicyChanged { ResourceName name; };
using Change = std::variant<QueueAdded, QueueRemoved, QueuePlaced, VhostRemoved, VhostChanged,
                            UserChanged, NodeChanged, PolicyChanged>;

/// What the proposer of a command learns.
struct Applied {
  QueueId queue;  ///< of DeclareQueue: the queue that exists now under that name
};

/// The cluster's metadata on one node: a deterministic state machine over `Command`s. It is read
/// without locks on the shard that owns the node and changes only through `apply`. References and
/// pointers that it returns live until the next apply.
class Catalog {
 public:
  Catalog();

  /// Applies one command; `changes` receives what it changed, in order. A refused command
  /// changes nothing.
  base::Result<Applied> apply(const Command& command, std::vector<Change>& changes);

  base::Bytes snapshot() const;
  /// Replaces everything by a snapshot. An error leaves the catalog as it was.
  base::Result<> restore(base::ByteView snapshot);

  /// The state of a node that was never in a cluster: vhost "/", user guest with tag
  /// administrator and all permissions. `guest` carries the hash, which needs a salt from outside.
  static std::vector<Command> first_commands(User guest);

  const Vhost* find_vhost(std::string_view name) const;
  const User* find_user(std::string_view name) const;
  const Permission* find_permission(std::string_view user, std::string_view vhost) const;
  /// Null when the user may use all keys of the exchange.
  const TopicPermission* find_topic_permission(std::string_view user,
                                               const ResourceName& exchange) const;
  const Exchange* find_exchange(const ResourceName& name) const;
  const Queue* find_queue(const ResourceName& name) const;
  const Queue* find_queue(QueueId id) const;
  /// precondition_failed "cannot declare queue 'q': queue limit in vhost 'v' (1) is reached" when
  /// there is no room for one queue more.
  base::Result<> check_room_for_queue(const ResourceName& name) const;
  const Policy* find_policy(const ResourceName& name) const;
  /// What the policy of that name says, ready to use.
  const PolicyDefinition* find_policy_definition(const ResourceName& name) const;
  /// The same of operators' policies.
  const PolicyDefinition* find_operator_definition(const ResourceName& name) const;
  /// What the policies that apply to the queue say, or null.
  const PolicyDefinition* policy_of(const Queue& queue) const;
  const PolicyDefinition* operator_policy_of(const Queue& queue) const;
  const Node* find_node(std::string_view name) const;
  /// The value of a global parameter, or empty.
  std::string_view global_parameter(std::string_view name) const;

  const std::map<std::string, Vhost, std::less<>>& vhosts() const { return vhosts_; }
  const std::map<std::string, User, std::less<>>& users() const { return users_; }
  const std::map<ResourceName, Permission>& permissions() const { return permissions_; }
  const std::map<TopicPermissionName, TopicPermission>& topic_permissions() const {
    return topic_permissions_;
  }
  const std::map<ResourceName, Exchange>& exchanges() const { return exchanges_; }
  const std::map<QueueId, Queue>& queues() const { return queues_; }
  const std::map<ResourceName, QueueId>& queue_names() const { return queue_names_; }
  const std::map<ResourceName, Policy>& policies() const { return policies_.records; }
  const std::map<ResourceName, Policy>& operator_policies() const {
    return operator_policies_.records;
  }
  const std::map<NodeName, Node, std::less<>>& nodes() const { return nodes_; }
  const std::map<std::string, std::string, std::less<>>& global_parameters() const {
    return global_parameters_;
  }

  /// The bindings whose source is that exchange, in order of their making; empty for none.
  Bindings::Range bindings_from(const ResourceName& exchange) const {
    return bindings_.from(exchange);
  }
  /// The stored bindings that lead to that queue or exchange, by source, then in order of their
  /// making.
  std::vector<Binding> bindings_to(DestinationKind kind, const ResourceName& destination) const {
    return bindings_.to(kind, destination);
  }

  /// Grows whenever exchanges, queues or bindings change; answers may be kept for one.
  std::uint64_t routing_version() const { return routing_version_; }
  /// Changes whenever a permission does.
  std::uint64_t permission_version() const { return permission_version_; }
  /// The listeners hear of what applying changes, until they are removed.
  RouteListeners& route_listeners() const { return route_listeners_; }

 private:
  friend class Applier;

  struct Policies {
    PolicyKind kind;
    std::map<ResourceName, Policy> records;
    /// Derived from the records.
    std::map<ResourceName, std::shared_ptr<const CompiledPolicy>> compiled;
  };

  std::map<std::string, Vhost, std::less<>> vhosts_;
  std::map<std::string, User, std::less<>> users_;
  std::map<ResourceName, Permission> permissions_;  ///< keyed by {vhost, user}
  std::map<TopicPermissionName, TopicPermission> topic_permissions_;
  std::map<ResourceName, Exchange> exchanges_;
  Bindings bindings_;
  std::map<QueueId, Queue> queues_;
  std::map<ResourceName, QueueId> queue_names_;
  Policies policies_{PolicyKind::users, {}, {}};
  Policies operator_policies_{PolicyKind::operators, {}, {}};
  std::map<NodeName, Node, std::less<>> nodes_;
  std::map<std::string, std::string, std::less<>> global_parameters_;
  QueueId last_queue_id_;

  // What follows is derived from the above and not part of a snapshot.
  base::Result<> derive();

  std::map<ConnectionId, std::set<QueueId>> exclusive_queues_;
  std::map<std::string, std::uint64_t, std::less<>> queue_counts_;  ///< of each vhost with some
  std::uint64_t routing_version_ = 0;
  std::uint64_t permission_version_ = 0;
  /// The last member: when a catalog is assigned to, all else is in place as they are told.
  mutable RouteListeners route_listeners_;
};

}  // namespace warren::catalog
