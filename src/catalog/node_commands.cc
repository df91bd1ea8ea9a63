#include <fmt/format.h>

#include <algorithm>

#include "catalog/applier.h"
#include "catalog/placement.h"

// When no command is being applied, a queue's in-sync set is either all running or all down. So
// whoever is dropped from the set leaves a member behind that holds everything confirmed, and a
// set that goes down together stays whole until its first member is back.
namespace warren::catalog {

base::Result<Node*> Applier::node(const NodeName& name) {
  auto entry = catalog_.nodes_.find(name);
  if (entry == catalog_.nodes_.end())
    return base::fail(base::ErrorCode::not_found, "The node selected is not in the cluster.");
  return &entry->second;
}

bool Applier::is_running(const NodeName& name) const {
  const Node* found = catalog_.find_node(name);
  return found != nullptr && found->running;
}

Applier::Result Applier::operator()(const AddNode& command) {
  if (const Node* current = catalog_.find_node(command.name)) {
    if (current->uuid == command.uuid) return Applied{};
    return base::fail(
        base::ErrorCode::already_exists,
        fmt::format("node {} is a member with another data directory; forget it first",
                    command.name));
  }
  Node node;
  node.name = command.name;
  node.kind = command.kind;
  node.uuid = command.uuid;
  catalog_.nodes_.emplace(command.name, std::move(node));
  changes_.emplace_back(NodeChanged{command.name});
  refresh_all_replicas();
  return Applied{};
}

Applier::Result Applier::operator()(const SetNodeKind& command) {
  TRY_ASSIGN(Node * changed, node(command.name));
  if (changed->kind == command.kind) return Applied{};
  changed->kind = command.kind;
  changes_.emplace_back(NodeChanged{command.name});
  return Applied{};
}

Applier::Result Applier::operator()(const NodeUp& command) {
  TRY_ASSIGN(Node * up, node(command.name));
  bool is_stale = command.incarnation < up->incarnation;
  bool is_repeated = up->running && command.incarnation == up->incarnation;
  if (is_stale || is_repeated) return Applied{};
  if (up->running) lose_nodes({up->name});
  // Exchanges that are not durable live as long as any node of the cluster does.
  if (std::ranges::none_of(catalog_.nodes_, [](auto& entry) { return entry.second.running; }))
    remove_transient_exchanges();
  up->running = true;
  up->incarnation = command.incarnation;
  changes_.emplace_back(NodeChanged{command.name});
  for (auto& [id, queue] : catalog_.queues_) {
    bool is_changed = false;
    if (std::ranges::find(queue.replicas, command.name) != queue.replicas.end()) {
      ++queue.placement_version;
      is_changed = true;
    }
    is_changed |= take_lead_if_first(queue, command.name);
    if (refresh_replicas(queue) || is_changed) announce(queue);
  }
  make_missing_delay_queues();
  return Applied{};
}

Applier::Result Applier::operator()(const NodesDown& command) {
  std::vector<NodeName> lost;
  for (const NodeRun& run : command.nodes) {
    const Node* down = catalog_.find_node(run.name);
    if (down == nullptr || !down->running || run.incarnation < down->incarnation) continue;
    lost.push_back(run.name);
    changes_.emplace_back(NodeChanged{run.name});
  }
  if (lost.empty()) return Applied{};
  lose_nodes(lost);
  refresh_all_replicas();
  return Applied{};
}

Applier::Result Applier::operator()(const ForgetNode& command) {
  // The command's name may be the node's own, which goes away.
  const NodeName name = command.name;
  TRY_ASSIGN(Node * forgotten, node(name));
  if (forgotten->running)
    return base::fail(base::ErrorCode::not_allowed,
                      fmt::format("RabbitMQ on node {} must be stopped with 'rabbitmqctl -n {} "
                                  "stop_app' before it can be removed",
                                  name, name));
  catalog_.nodes_.erase(name);
  changes_.emplace_back(NodeChanged{name});
  std::vector<QueueId> doomed;
  for (auto& [id, queue] : catalog_.queues_) {
    bool is_changed = false;
    if (!survive_forgetting(queue, name, is_changed))
      doomed.push_back(id);
    else if (refresh_replicas(queue) || is_changed)
      announce(queue);
  }
  remove_queues(doomed);
  return Applied{};
}

void Applier::lose_nodes(const std::vector<NodeName>& lost) {
  for (const NodeName& name : lost) catalog_.nodes_.find(name)->second.running = false;
  std::vector<QueueId> doomed;
  for (auto& [id, queue] : catalog_.queues_) {
    bool is_changed = false;
    if (!survive_loss(queue, lost, is_changed))
      doomed.push_back(id);
    else if (is_changed)
      announce(queue);
  }
  remove_queues(doomed);
}

bool Applier::survive_loss(Queue& queue, const std::vector<NodeName>& lost, bool& is_changed) {
  auto is_lost = [&](const NodeName& name) {
    return std::ranges::find(lost, name) != lost.end();
  };
  if (queue.exclusive_owner && is_lost(queue.exclusive_owner->node)) return false;
  if (std::ranges::none_of(queue.in_sync, is_lost)) return true;
  auto successor = std::ranges::find_if(
      queue.in_sync, [this](const NodeName& name) { return is_running(name); });
  if (successor == queue.in_sync.end()) return queue.durable;
  if (is_lost(queue.leader)) {
    queue.leader = *successor;
    queue.epoch = queue.epoch.next();
  }
  std::erase_if(queue.in_sync, is_lost);
  is_changed = true;
  return true;
}

bool Applier::take_lead_if_first(Queue& queue, const NodeName& up) {
  if (std::ranges::find(queue.in_sync, up) == queue.in_sync.end()) return false;
  bool is_first = std::ranges::none_of(
      queue.in_sync, [&](const NodeName& name) { return name != up && is_running(name); });
  if (!is_first) return false;
  // It holds everything confirmed, as all of the set do. A leader that restarted may have lost
  // what it never confirmed, so even the old leader's log is another one now.
  queue.leader = up;
  queue.epoch = queue.epoch.next();
  queue.in_sync = {up};
  return true;
}

bool Applier::survive_forgetting(Queue& queue, const NodeName& forgotten, bool& is_changed) {
  if (std::erase(queue.replicas, forgotten) == 0) return true;
  std::erase(queue.in_sync, forgotten);
  if (queue.replicas.empty()) return false;
  ++queue.placement_version;
  is_changed = true;
  if (queue.leader != forgotten) return true;
  const std::vector<NodeName>& heirs = queue.in_sync.empty() ? queue.replicas : queue.in_sync;
  auto running =
      std::ranges::find_if(heirs, [this](const NodeName& name) { return is_running(name); });
  queue.leader = running == heirs.end() ? heirs.front() : *running;
  queue.epoch = queue.epoch.next();
  if (queue.in_sync.empty()) queue.in_sync = {queue.leader};
  return true;
}

bool Applier::refresh_replicas(Queue& queue) {
  // Without mirroring, which is the common case, there is nothing to find out.
  const PolicyDefinition* definition = catalog_.policy_of(queue);
  bool is_single = queue.replicas.size() == 1;
  if (is_single && mirroring_of(queue, definition) == HaMode::none) return false;
  std::vector<NodeName> wanted = wanted_replicas(catalog_.nodes_, definition, queue);
  // While the queue is down, each member of its in-sync set may be the one that comes back first.
  if (!is_running(queue.leader))
    wanted.insert(wanted.end(), queue.in_sync.begin(), queue.in_sync.end());
  return update_replicas(queue, wanted);
}

void Applier::refresh_all_replicas() {
  for (auto& [id, queue] : catalog_.queues_)
    if (refresh_replicas(queue)) announce(queue);
}

}  // namespace warren::catalog
