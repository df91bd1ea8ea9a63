#include <fmt/format.h>

#include <algorithm>

#include "catalog/applier.h"

namespace warren::catalog {
namespace {

bool contains(const std::vector<NodeName>& names, const NodeName& name) {
  return std::ranges::find(names, name) != names.end();
}

std::unexpected<base::Error> refuse(std::string text) {
  return base::fail(base::ErrorCode::not_allowed, std::move(text));
}

}  // namespace

base::Result<Queue*> Applier::queue_of_epoch(QueueId id, Epoch epoch) {
  auto entry = catalog_.queues_.find(id);
  if (entry == catalog_.queues_.end())
    return base::fail(base::ErrorCode::not_found, fmt::format("no queue with id {}", id.value));
  if (entry->second.epoch != epoch)
    return refuse(fmt::format("the queue's epoch is {}, not {}", entry->second.epoch.value,
                              epoch.value));
  return &entry->second;
}

Applier::Result Applier::operator()(const AddInSync& command) {
  TRY_ASSIGN(Queue * queue, queue_of_epoch(command.queue, command.epoch));
  if (contains(queue->in_sync, command.node)) return Applied{};
  if (command.placement_version != 0 && command.placement_version != queue->placement_version)
    return refuse("the queue's replicas have changed");
  if (!contains(queue->replicas, command.node))
    return refuse(fmt::format("node '{}' is no replica of the queue", command.node));
  if (!is_running(command.node) || !is_running(queue->leader))
    return refuse("the replica or the leader is not running");
  std::vector<NodeName> in_sync;
  for (const NodeName& name : queue->replicas)
    if (name == command.node || contains(queue->in_sync, name)) in_sync.push_back(name);
  queue->in_sync = std::move(in_sync);
  announce(*queue);
  return Applied{};
}

Applier::Result Applier::operator()(const RemoveInSync& command) {
  TRY_ASSIGN(Queue * queue, queue_of_epoch(command.queue, command.epoch));
  if (command.node == queue->leader) return refuse("a queue's leader is always in sync");
  if (std::erase(queue->in_sync, command.node) > 0) announce(*queue);
  return Applied{};
}

Applier::Result Applier::operator()(const ElectLeader& command) {
  TRY_ASSIGN(Queue * queue, queue_of_epoch(command.queue, command.epoch));
  if (!contains(queue->replicas, command.leader))
    return refuse(fmt::format("node '{}' is no replica of the queue", command.leader));
  if (!is_running(command.leader))
    return refuse(fmt::format("node '{}' is not running", command.leader));
  if (!contains(queue->in_sync, command.leader)) {
    if (!command.unclean)
      return refuse(fmt::format("node '{}' is not in sync", command.leader));
    // What the new leader holds is the queue from now on; the others may hold something else.
    queue->in_sync = {command.leader};
  }
  queue->leader = command.leader;
  queue->epoch = queue->epoch.next();
  refresh_replicas(*queue);
  announce(*queue);
  return Applied{};
}

}  // namespace warren::catalog
