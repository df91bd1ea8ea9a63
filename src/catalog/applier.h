#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"

namespace warren::catalog {

/// Applies one command to a catalog. Each overload first checks and then changes; one that fails
/// has changed nothing. The overloads live in a source per family of commands.
class Applier {
 public:
  using Result = base::Result<Applied>;

  Applier(Catalog& catalog, std::vector<Change>& changes) : catalog_(catalog), changes_(changes) {}

  Result operator()(const PutVhost& command);
  Result operator()(const DeleteVhost& command);

  Result operator()(const AddUser& command);
  Result operator()(const DeleteUser& command);
  Result operator()(const SetPassword& command);
  Result operator()(const SetUserTags& command);
  Result operator()(const SetPermission& command);
  Result operator()(const ClearPermission& command);

  Result operator()(const DeclareExchange& command);
  Result operator()(const DeleteExchange& command);
  Result operator()(const AddBinding& command);
  Result operator()(const RemoveBinding& command);

  Result operator()(const DeclareQueue& command);
  Result operator()(const DeleteQueue& command);
  Result operator()(const DeleteExclusiveQueues& command);

  Result operator()(const SetPolicy& command);
  Result operator()(const ClearPolicy& command);
  Result operator()(const SetOperatorPolicy& command);
  Result operator()(const ClearOperatorPolicy& command);
  Result operator()(const SetGlobalParameter& command);

  Result operator()(const AddNode& command);
  Result operator()(const SetNodeKind& command);
  Result operator()(const NodeUp& command);
  Result operator()(const NodesDown& command);
  Result operator()(const ForgetNode& command);

  Result operator()(const AddInSync& command);
  Result operator()(const RemoveInSync& command);
  Result operator()(const ElectLeader& command);

  Result operator()(const SetTopicPermission& command);
  Result operator()(const ClearTopicPermission& command);
  Result operator()(const SetVhostLimits& command);
  Result operator()(const SetUserLimits& command);

 private:
  // users
  base::Result<User*> user(std::string_view name);
  base::Result<> check_user_in_vhost(const std::string& user, const std::string& vhost) const;
  void permissions_changed(const std::string& user);

  // exchanges and bindings
  base::Result<> check_binding_ends(const Binding& binding) const;
  /// Erases all bindings to the destinations; answers their sources.
  std::vector<ResourceName> erase_bindings_to(DestinationKind kind,
                                              const std::vector<ResourceName>& destinations);
  /// Removes the exchange and its bindings, then auto-delete exchanges that this left without
  /// any, and so on.
  void remove_exchange(const ResourceName& name);
  void remove_transient_exchanges();
  /// Removes those of the exchanges that are auto-delete and without bindings. Call it for sources
  /// that have lost one.
  void remove_unused(const std::vector<ResourceName>& exchanges);
  bool is_unused(const ResourceName& exchange) const;
  /// Makes the queue of an exchange that delays, unless it is there or no node runs.
  void make_delay_queue(const Exchange& exchange);
  void make_missing_delay_queues();

  // queues
  /// Gives a new queue its id and its place, and inserts it.
  QueueId place_queue(Queue queue);
  void insert_queue(Queue queue);
  /// Removes queues, which must exist, with their bindings.
  void remove_queues(const std::vector<QueueId>& ids);

  // policies
  /// The policy that applies to that name, or empty.
  std::string matching_policy(const ResourceName& name, AppliesTo kind) const;
  std::string matching_policy(const Catalog::Policies& policies, const ResourceName& name,
                              AppliesTo kind) const;
  std::string matching_operator_policy(const ResourceName& queue) const;
  Result set_policy(Catalog::Policies& policies, Policy policy);
  Result clear_policy(Catalog::Policies& policies, const ResourceName& name);
  /// Finds the policies of the vhost's queues and exchanges anew, and with them their replicas.
  void reassign_policies(PolicyKind kind, const ResourceName& changed_policy);
  template <typename Visit>
  void for_each_queue_in(const std::string& vhost, Visit visit);
  void reassign_policy(Exchange& exchange, const ResourceName& changed_policy);

  // nodes and placement
  base::Result<Node*> node(const NodeName& name);
  bool is_running(const NodeName& name) const;
  /// A queue whose epoch is still the given one.
  base::Result<Queue*> queue_of_epoch(QueueId id, Epoch epoch);
  /// Brings the replicas to what the policy and the members ask for. Answers whether that changed
  /// anything.
  bool refresh_replicas(Queue& queue);
  void refresh_all_replicas();
  void announce(const Queue& queue) { changes_.emplace_back(QueuePlaced{queue.id}); }

  /// Nodes' processes are gone: what that means for one queue. False when the queue must go too.
  bool survive_loss(Queue& queue, const std::vector<NodeName>& lost, bool& is_changed);
  void lose_nodes(const std::vector<NodeName>& lost);
  /// A member of the in-sync set came up. Answers whether that changed anything.
  bool take_lead_if_first(Queue& queue, const NodeName& up);
  bool survive_forgetting(Queue& queue, const NodeName& forgotten, bool& is_changed);

  template <typename Record>
  void tell(void (RouteListener::*event)(const Record&), const Record& record) {
    catalog_.route_listeners_.tell<const Record&>(event, record);
  }

  Catalog& catalog_;
  std::vector<Change>& changes_;
};

}  // namespace warren::catalog
