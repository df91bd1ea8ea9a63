#include <fmt/format.h>

#include "base/assert.h"
#include "catalog/applier.h"
#include "catalog/delaying.h"
#include "catalog/equivalence.h"
#include "catalog/placement.h"

namespace warren::catalog {

Applier::Result Applier::operator()(const DeclareQueue& command) {
  const Queue& queue = command.queue;
  if (!catalog_.vhosts_.contains(queue.name.vhost))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("vhost {} not found", queue.name.vhost));
  if (catalog_.queue_names_.contains(queue.name))
    return base::fail(base::ErrorCode::already_exists, queue_text(queue.name) + " already exists");
  TRY(check_no_delay_queue(command.queue.name));
  TRY(catalog_.check_room_for_queue(command.queue.name));
  // A proposal may outlive its proposer: a queue made for a dead node's connection would stay.
  const NodeName& owner = queue.exclusive_owner ? queue.exclusive_owner->node : queue.leader;
  for (const NodeName& name : {queue.leader, owner})
    if (!is_running(name))
      return base::fail(base::ErrorCode::unavailable,
                        fmt::format("node '{}' is not running", name));
  return Applied{place_queue(queue)};
}

QueueId Applier::place_queue(Queue queue) {
  queue.id = catalog_.last_queue_id_.next();
  queue.epoch = Epoch{1};
  queue.placement_version = 1;
  queue.policy = matching_policy(queue.name, AppliesTo::queues);
  queue.operator_policy = matching_operator_policy(queue.name);
  const PolicyDefinition* definition = queue.is_exclusive() ? nullptr : catalog_.policy_of(queue);
  queue.leader = choose_first_leader(catalog_.nodes_, definition, queue.leader);
  queue.replicas = {queue.leader};
  queue.in_sync = {queue.leader};
  update_replicas(queue, wanted_replicas(catalog_.nodes_, definition, queue));
  // An empty queue is in sync wherever it is.
  queue.in_sync.clear();
  for (const NodeName& replica : queue.replicas)
    if (is_running(replica)) queue.in_sync.push_back(replica);

  const QueueId id = catalog_.last_queue_id_ = queue.id;
  insert_queue(std::move(queue));
  return id;
}

Applier::Result Applier::operator()(const DeleteQueue& command) {
  const Queue* queue = catalog_.find_queue(command.queue);
  if (queue == nullptr) return Applied{};
  TRY(check_no_delay_queue(queue->name));
  remove_queues({command.queue});
  return Applied{};
}

Applier::Result Applier::operator()(const DeleteExclusiveQueues& command) {
  auto owned = catalog_.exclusive_queues_.find(command.connection);
  if (owned == catalog_.exclusive_queues_.end()) return Applied{};
  remove_queues({owned->second.begin(), owned->second.end()});
  return Applied{};
}

void Applier::insert_queue(Queue queue) {
  QueueId id = queue.id;
  catalog_.queue_names_.emplace(queue.name, id);
  ++catalog_.queue_counts_[queue.name.vhost];
  if (queue.exclusive_owner)
    catalog_.exclusive_queues_[queue.exclusive_owner->connection].insert(id);
  catalog_.queues_.emplace(id, std::move(queue));
  ++catalog_.routing_version_;
  tell(&RouteListener::on_queue, catalog_.queues_.at(id).name);
  changes_.emplace_back(QueueAdded{id});
}

void Applier::remove_queues(const std::vector<QueueId>& ids) {
  std::vector<ResourceName> names;
  for (QueueId id : ids) {
    auto entry = catalog_.queues_.extract(id);
    ASSERT(!entry.empty());
    Queue queue = std::move(entry.mapped());
    catalog_.queue_names_.erase(queue.name);
    auto count = catalog_.queue_counts_.find(queue.name.vhost);
    if (--count->second == 0) catalog_.queue_counts_.erase(count);
    if (queue.exclusive_owner) {
      auto owned = catalog_.exclusive_queues_.find(queue.exclusive_owner->connection);
      ASSERT(owned != catalog_.exclusive_queues_.end());
      owned->second.erase(id);
      if (owned->second.empty()) catalog_.exclusive_queues_.erase(owned);
    }
    names.push_back(queue.name);
    tell(&RouteListener::on_queue, queue.name);
    changes_.emplace_back(QueueRemoved{std::move(queue)});
    ++catalog_.routing_version_;
  }
  remove_unused(erase_bindings_to(DestinationKind::queue, names));
  // One may have gone with its nodes, while its exchange stays.
  for (const ResourceName& name : names) {
    const std::string exchange(delaying_exchange(name.name));
    if (exchange.empty()) continue;
    if (const Exchange* left = catalog_.find_exchange({name.vhost, exchange}))
      make_delay_queue(*left);
  }
}

}  // namespace warren::catalog
