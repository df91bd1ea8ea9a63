#pragma once

#include <map>
#include <optional>
#include <string>

#include "catalog/policy_definition.h"
#include "catalog/records.h"

/// Which nodes hold a queue. Everything here follows from the catalog alone, so that every node
/// places alike.
namespace warren::catalog {

class Catalog;

using NodeMap = std::map<NodeName, Node, std::less<>>;

/// Whether that queue can be used: its leader is running.
bool is_queue_running(const Catalog& catalog, const Queue& queue);

/// When the policy does not want the queue's leader: the oldest running in-sync replica that it
/// does want, to which the leadership may move (by ElectLeader). Otherwise empty.
std::optional<NodeName> find_wanted_successor(const Catalog& catalog, const Queue& queue);

/// The node that shall lead a new queue: `asking`, unless the policy lists nodes without it; then
/// the first of those that runs.
NodeName choose_first_leader(const NodeMap& nodes, const PolicyDefinition* definition,
                             const NodeName& asking);

/// How the queue is mirrored, by its policy's definition or by what it is. That may be null.
HaMode mirroring_of(const Queue& queue, const PolicyDefinition* definition);

/// The nodes that shall hold the queue, which has a leader, an id and its present replicas. The
/// leader may be missing in it. `definition` is null without a policy.
std::vector<NodeName> wanted_replicas(const NodeMap& nodes, const PolicyDefinition* definition,
                                      const Queue& queue);

/// Makes the replicas those that are wanted: new ones at the end and not in sync; the leader stays
/// whether wanted or not. Answers whether anything changed.
bool update_replicas(Queue& queue, const std::vector<NodeName>& wanted);

}  // namespace warren::catalog
