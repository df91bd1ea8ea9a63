#pragma once

#include <functional>

#include "base/time.h"
#include "catalog/catalog.h"
#include "cluster/link_message.h"

namespace warren::broker {
class Router;
}

namespace warren::cluster {

class Channels;

/// What the replicas of queues need of their node.
class QueueContext {
 public:
  virtual ~QueueContext() = default;

  virtual const NodeName& self() const = 0;
  virtual const catalog::Catalog& catalog() const = 0;
  /// Sends to a member, this node included. Messages to one member keep their order; they are
  /// lost when the link is down or breaks.
  virtual void send(const NodeName& to, LinkMessage message) = 0;
  virtual bool is_linked(const NodeName& member) const = 0;
  /// Bytes that wait for the link to that member.
  virtual std::size_t link_backlog(const NodeName& member) const = 0;
  /// Whether messages wait for the disk in so much memory that nobody should send more. The queue
  /// is woken when that is over.
  virtual bool must_wait_for_memory(QueueId queue) = 0;
  virtual const base::Clock& clock() const = 0;
  /// Has the queue looked after before the turn ends.
  virtual void wake(QueueId queue) = 0;
  /// Has the queue looked after when that time comes, or before: an earlier one asked for since
  /// counts, and then this one has to be asked for again.
  virtual void wake_at(QueueId queue, base::Time at) = 0;
  /// For dead letters and what was delayed: they are routed and published here like what clients
  /// publish, and may come by exchanges that remember them.
  virtual broker::Router& router() = 0;
  virtual Channels& channels() = 0;
  virtual void remember(const catalog::ResourceName& exchange, const broker::Message& message) = 0;
  using Done = std::function<void(base::Result<catalog::Applied>)>;
  virtual void propose(const catalog::Command& command, Done done) = 0;
  /// Calls `done` once this node's catalog has all that the cluster agreed on before: not while the
  /// node is cut off.
  virtual void catch_up(std::function<void()> done) = 0;
};

}  // namespace warren::cluster
