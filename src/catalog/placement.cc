#include "catalog/placement.h"

#include <algorithm>

#include "base/random.h"
#include "catalog/catalog.h"
#include "catalog/delaying.h"

namespace warren::catalog {
namespace {

bool contains(const std::vector<NodeName>& names, const NodeName& name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_running(const NodeMap& nodes, const NodeName& name) {
  auto node = nodes.find(name);
  return node != nodes.end() && node->second.running;
}

void add_once(std::vector<NodeName>& names, const NodeName& name) {
  if (!contains(names, name)) names.push_back(name);
}

/// The running nodes, beginning at a place that differs from queue to queue, so that queues
/// spread over the nodes.
std::vector<NodeName> spread(const NodeMap& nodes, QueueId queue) {
  std::vector<NodeName> running;
  for (const auto& [name, node] : nodes)
    if (node.running) running.push_back(name);
  if (running.empty()) return running;
  std::uint64_t start = base::Random(queue.value).below(running.size());
  std::ranges::rotate(running, running.begin() + static_cast<std::ptrdiff_t>(start));
  return running;
}

/// The leader and the replicas that it costs least to keep; new ones only for those that are
/// missing or down, and a down one only when no running node is left.
std::vector<NodeName> choose_exactly(const NodeMap& nodes, std::uint64_t count,
                                     const Queue& queue) {
  std::vector<NodeName> candidates{queue.leader};
  for (const NodeName& name : queue.in_sync) add_once(candidates, name);
  for (const NodeName& name : queue.replicas)
    if (is_running(nodes, name)) add_once(candidates, name);
  for (const NodeName& name : spread(nodes, queue.id)) add_once(candidates, name);
  for (const NodeName& name : queue.replicas) add_once(candidates, name);
  if (candidates.size() > count) candidates.resize(count);
  return candidates;
}

}  // namespace

bool is_queue_running(const Catalog& catalog, const Queue& queue) {
  return is_running(catalog.nodes(), queue.leader);
}

std::optional<NodeName> find_wanted_successor(const Catalog& catalog, const Queue& queue) {
  std::vector<NodeName> wanted =
      wanted_replicas(catalog.nodes(), catalog.policy_of(queue), queue);
  if (contains(wanted, queue.leader)) return {};
  for (const NodeName& name : queue.in_sync)
    if (contains(wanted, name) && is_running(catalog.nodes(), name)) return name;
  return {};
}

NodeName choose_first_leader(const NodeMap& nodes, const PolicyDefinition* definition,
                             const NodeName& asking) {
  if (definition == nullptr || definition->ha_mode != HaMode::nodes) return asking;
  if (contains(definition->ha_nodes, asking)) return asking;
  auto first = std::ranges::find_if(definition->ha_nodes,
                                    [&](const NodeName& name) { return is_running(nodes, name); });
  return first == definition->ha_nodes.end() ? asking : *first;
}

HaMode mirroring_of(const Queue& queue, const PolicyDefinition* definition) {
  // What waits there was promised to survive, and no policy says otherwise.
  if (is_delay_queue(queue.name.name)) return HaMode::all;
  return definition == nullptr || queue.is_exclusive() ? HaMode::none : definition->ha_mode;
}

std::vector<NodeName> wanted_replicas(const NodeMap& nodes, const PolicyDefinition* definition,
                                      const Queue& queue) {
  std::vector<NodeName> wanted;
  switch (mirroring_of(queue, definition)) {
    case HaMode::none: break;
    case HaMode::all:
      wanted.push_back(queue.leader);
      for (const auto& [name, node] : nodes) add_once(wanted, name);
      break;
    case HaMode::exactly:
      wanted = choose_exactly(nodes, definition->ha_count, queue);
      break;
    case HaMode::nodes:
      for (const NodeName& name : definition->ha_nodes)
        if (nodes.contains(name)) add_once(wanted, name);
      break;
  }
  if (wanted.empty()) wanted.push_back(queue.leader);
  return wanted;
}

bool update_replicas(Queue& queue, const std::vector<NodeName>& wanted) {
  std::vector<NodeName> replicas;
  for (const NodeName& name : queue.replicas)
    if (name == queue.leader || contains(wanted, name)) replicas.push_back(name);
  for (const NodeName& name : wanted) add_once(replicas, name);
  if (replicas == queue.replicas) return false;
  queue.replicas = std::move(replicas);
  std::erase_if(queue.in_sync,
                [&](const NodeName& name) { return !contains(queue.replicas, name); });
  ++queue.placement_version;
  return true;
}

}  // namespace warren::catalog
