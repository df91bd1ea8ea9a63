#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "broker/channel.h"
#include "broker/exchange_declaration.h"
#include "catalog/command.h"
#include "cluster/node.h"
#include "management/process_info.h"
#include "session/info.h"

namespace warren::broker {
class Authorizer;
class Router;
}  // namespace warren::broker

namespace warren::management {

using ConnectionInfo = session::amqp091::ConnectionInfo;
using ChannelInfo = session::amqp091::ChannelInfo;

/// Where the broker application stands in a process that may well run without it (stop_app).
enum class AppState {
  stopped,   ///< stop_app, or never started
  starting,  ///< recovers, or waits for other members
  running,
  stopping,
  failed,    ///< the last start failed; app_failure() says why
};

/// What management needs of the node's process; the server implements it. All calls and all
/// callbacks happen on the node's shard. A `done` is called exactly once, perhaps from inside the
/// call. Everything that asks for members of a cluster is answered within a deadline.
class Operations {
 public:
  using Done = std::function<void(base::Result<>)>;

  virtual ~Operations() = default;

  virtual const catalog::NodeName& node_name() const = 0;
  virtual AppState app_state() const = 0;
  virtual std::string app_failure() const = 0;
  /// The queues and the catalog, or null unless the application is running. It stays valid until
  /// control returns to the event loop; callbacks ask again.
  virtual broker::Gateway* gateway() = 0;
  /// Logins and permissions, and routes, over the gateway's catalog; null unless running.
  virtual broker::Authorizer* authorizer() = 0;
  virtual broker::Router* router() = 0;

  /// Succeeds at once when the application is stopped already. While it waits for members, it
  /// gives up waiting.
  virtual void stop_app(Done done) = 0;
  /// Answers when clients are served, or with what prevents it. Succeeds at once when running.
  virtual void start_app(Done done) = 0;
  /// Stops the application, then the process. `done` comes when the application has stopped and
  /// the name is gone from epmd; the process ends once the answer is sent.
  virtual void stop(Done done) = 0;

  /// The next five need the application stopped; the caller has checked that.
  /// Leaves the cluster, by agreement with a member that runs, and forgets everything.
  virtual void reset(Done done) = 0;
  /// Forgets everything without asking anybody.
  virtual void force_reset(Done done) = 0;
  /// Makes the node a member of the target's cluster and forgets what it held. Error codes:
  /// invalid_argument (itself), already_exists (a member already), unavailable (target can't be
  /// reached), precondition_failed (inconsistent_cluster, the text is the description).
  virtual void join_cluster(const catalog::NodeName& target, bool ram, Done done) = 0;
  /// already_exists when the node is of that kind; not_allowed when it is in no cluster, or is
  /// the last disc node.
  virtual void change_cluster_node_type(catalog::NodeKind kind, Done done) = 0;
  /// The next start does not wait for other members.
  virtual void force_boot(Done done) = 0;

  /// Removes a member that does not run. not_found when it is none, not_allowed when it runs.
  virtual void forget_cluster_node(const catalog::NodeName& member, Done done) = 0;
  /// Starts to make in-sync replicas of all replicas of a queue that this node leads.
  virtual void sync_queue(catalog::QueueId queue, Done done) = 0;

  /// Changes the catalog; answered when this node has applied the change.
  virtual void propose(const catalog::Command& command, cluster::Node::ProposeDone done) = 0;
  /// Asks a running member (or this one) what `answer_query` answers there; see reports.h.
  virtual void query(const catalog::NodeName& member, base::Bytes request,
                     cluster::Node::QueryDone done) = 0;

  /// Members that run now, this one included, by name; empty unless running.
  virtual std::vector<catalog::NodeName> running_members() const = 0;
  /// Members that this node is cut off from though they are not known to have stopped.
  virtual std::vector<catalog::NodeName> partitioned_members() const = 0;
  /// See cluster::Node::led_queues; empty unless running.
  virtual std::vector<cluster::QueueStatus> led_queues() const = 0;

  virtual std::vector<ConnectionInfo> connections() const = 0;
  virtual std::vector<ChannelInfo> channels() const = 0;
  /// Closes with 320 CONNECTION_FORCED and that reason; false when there is none of that id.
  virtual bool close_connection(catalog::ConnectionId connection, const std::string& reason) = 0;

  virtual ProcessInfo process_info() const = 0;
  /// Users who may log in only from this machine.
  virtual std::vector<std::string> loopback_users() const = 0;
  /// Those that may be declared here.
  virtual const broker::ExchangeTypes& exchange_types() const = 0;
  /// Starts and stops what the explicitly enabled plugins offer (the HTTP listener), without a
  /// restart. The file enabled_plugins has been written by the command line already.
  virtual void apply_plugins(const std::vector<std::string>& enabled, Done done) = 0;

  /// The high watermark of memory, and the limit of free disk space, until the process ends.
  virtual void set_memory_watermark(const Threshold& threshold) = 0;
  virtual void set_disk_free_limit(const Threshold& threshold) = 0;

  /// Whether what comes and goes in a vhost is copied on this node, until the process ends; see
  /// session's Firehose. The vhost need not be there.
  virtual void trace(const std::string& vhost, bool is_on) = 0;
  virtual bool is_traced(std::string_view vhost) const = 0;

  virtual base::Time now() const = 0;
  /// Milliseconds since 1970.
  virtual std::int64_t wall_clock_ms() const = 0;
  /// Octets that nobody can guess, for salts.
  virtual std::string secure_random(std::size_t size) = 0;
  /// Runs `call` once, after `delay`.
  virtual void after(base::Duration delay, std::function<void()> call) = 0;
};

}  // namespace warren::management
