#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "catalog/records.h"

/// The changes that the catalog knows. Each is one entry of the cluster's Raft log and is applied
/// on every node in the same order, with the same result.
namespace warren::catalog {

/// With its predeclared exchanges. Of one that exists it replaces all but the limits.
struct PutVhost { Vhost vhost; };
struct DeleteVhost { std::string name; };

struct AddUser { User user; };  ///< already_exists when the name is taken
struct DeleteUser { std::string name; };
struct SetPassword { std::string name, password_hash, hashing_algorithm; };
struct SetUserTags { std::string name; std::vector<std::string> tags; };
struct SetPermission { Permission permission; };
struct ClearPermission { std::string user, vhost; };

/// Declaring what exists with equal properties succeeds and changes nothing; with other
/// properties it fails with precondition_failed.
struct DeclareExchange { Exchange exchange; };
/// What does not exist counts as deleted.
struct DeleteExchange { ResourceName name; bool if_unused = false; };
/// A binding that exists stays as it is. The order of the arguments does not matter; they are kept
/// sorted by name.
struct AddBinding { Binding binding; };
/// Succeeds when there is none.
struct RemoveBinding { Binding binding; };

/// `queue.leader` names the node that asks and must run (else unavailable), as must the exclusive
/// owner's; the catalog gives id, epoch, replicas and policy. A name that exists fails with
/// already_exists, whatever its properties: the session compares. precondition_failed when the
/// vhost has as many queues as it may.
struct DeclareQueue { Queue queue; };
/// Deletes only that very queue, never a later one of the same name.
struct DeleteQueue { QueueId queue; };
/// Deletes the exclusive queues of a connection that has ended.
struct DeleteExclusiveQueues { ConnectionId connection; };

struct SetPolicy { Policy policy; };
struct ClearPolicy { ResourceName name; };
/// An operator's policy cuts what a queue's arguments and its policy say. It may set limits only.
struct SetOperatorPolicy { Policy policy; };
struct ClearOperatorPolicy { ResourceName name; };
/// cluster_name and others; an empty value removes it.
struct SetGlobalParameter { std::string name; std::string value; };

/// Makes a node a member (not yet running). A member of that name with that uuid stays as it is;
/// with another uuid it must be forgotten first (already_exists).
struct AddNode { NodeName name; NodeKind kind; std::string uuid; };
struct SetNodeKind { NodeName name; NodeKind kind; };
/// The node runs its application now. When the catalog believed an older incarnation to be
/// running, that one is treated as gone first (as by NodesDown). When no other node runs, all
/// exchanges that are not durable are gone.
struct NodeUp { NodeName name; Incarnation incarnation; };
/// These runs of nodes ended: stopped, or proven dead. Removes the nodes from every in-sync set
/// that keeps a running member, moves leaderships from them to the oldest running in-sync replica
/// under a new epoch, deletes exclusive queues of their connections, and transient queues that
/// only they held. An in-sync set all of whose members end together stays whole: whichever comes
/// up first leads, and is then alone in the set. A node that runs under a newer incarnation is
/// passed over.
struct NodesDown { std::vector<NodeRun> nodes; };
/// Removes a member. A queue that it led goes to a replica that is left, in sync or not; a queue
/// that only it held is deleted.
struct ForgetNode { NodeName name; };

/// Refused (not_allowed) when `epoch` is no longer the queue's: a leader that was replaced can
/// change nothing. The leader proposes AddInSync when the node holds all that was ever confirmed,
/// and from then on, before the command is applied, confirms nothing without it. It is refused
/// too when a `placement_version` is given that is no longer the queue's: the replica may have
/// restarted, or left and come back empty, since the leader last heard from it.
struct AddInSync {
  QueueId queue;
  Epoch epoch;
  NodeName node;
  std::uint64_t placement_version = 0;
};
struct RemoveInSync { QueueId queue; Epoch epoch; NodeName node; };
/// Gives the queue a new epoch with that leader, when the epoch is still `epoch`. `unclean`
/// allows a replica that is not in sync (force_boot: the operator accepts the loss); without it
/// such a node is refused.
struct ElectLeader { QueueId queue; Epoch epoch; NodeName leader; bool unclean = false; };

struct SetTopicPermission { TopicPermission permission; };
/// Of all exchanges when `name.exchange` is empty. Succeeds when there is none.
struct ClearTopicPermission { TopicPermissionName name; };
/// Nothing clears them; not_found when there are none to clear.
struct SetVhostLimits { std::string vhost; std::optional<Limits> limits; };
struct SetUserLimits { std::string user; Limits limits; };

using Command =
    std::variant<PutVhost, DeleteVhost, AddUser, DeleteUser, SetPassword, SetUserTags,
                 SetPermission, ClearPermission, DeclareExchange, DeleteExchange, AddBinding,
                 RemoveBinding, DeclareQueue, DeleteQueue, DeleteExclusiveQueues, SetPolicy,
                 ClearPolicy, SetGlobalParameter, AddNode, SetNodeKind, NodeUp, NodesDown,
                 ForgetNode, AddInSync, RemoveInSync, ElectLeader, SetOperatorPolicy,
                 ClearOperatorPolicy, SetTopicPermission, ClearTopicPermission, SetVhostLimits,
                 SetUserLimits>;

base::Bytes encode_command(const Command& command);
base::Result<Command> decode_command(base::ByteView bytes);

}  // namespace warren::catalog
