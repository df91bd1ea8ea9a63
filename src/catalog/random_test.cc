#include <algorithm>
#include <map>

#include "catalog/delaying.h"
#include "catalog/fixture.h"
#include "catalog/placement.h"
#include "catalog/random_commands.h"

using namespace warren;
using namespace warren::catalog;

namespace {

bool contains(const Names& names, const NodeName& name) {
  return std::ranges::find(names, name) != names.end();
}

/// What holds of every queue between commands.
void check_queue(const Catalog& catalog, const Queue& queue) {
  REQUIRE_FALSE(queue.in_sync.empty());
  REQUIRE(contains(queue.in_sync, queue.leader));
  // A subset in the same order.
  Names ordered;
  for (const NodeName& name : queue.replicas)
    if (contains(queue.in_sync, name)) ordered.push_back(name);
  REQUIRE(ordered == queue.in_sync);
  std::set<NodeName> distinct(queue.replicas.begin(), queue.replicas.end());
  REQUIRE(distinct.size() == queue.replicas.size());
  for (const NodeName& name : queue.in_sync)
    REQUIRE(catalog.find_node(name)->running == is_queue_running(catalog, queue));
  if (!queue.durable) REQUIRE(is_queue_running(catalog, queue));
  if (queue.exclusive_owner) REQUIRE(catalog.find_node(queue.exclusive_owner->node)->running);
}

bool is_unclean(const Command& command) {
  const auto* election = std::get_if<ElectLeader>(&command);
  return std::holds_alternative<ForgetNode>(command) || (election && election->unclean);
}

/// What one command may do to a queue that lived before and after it.
void check_step(const Command& command, const Queue& before, const Queue& after) {
  REQUIRE(after.epoch >= before.epoch);
  REQUIRE(after.placement_version >= before.placement_version);
  if (after.leader != before.leader) REQUIRE(after.epoch > before.epoch);
  if (const auto* up = std::get_if<NodeUp>(&command); up && after.leader == up->name)
    REQUIRE((after.epoch > before.epoch || after == before));
  if (after.replicas != before.replicas)
    REQUIRE(after.placement_version > before.placement_version);
  const auto* added = std::get_if<AddInSync>(&command);
  for (const NodeName& name : after.in_sync) {
    if (contains(before.in_sync, name) || is_unclean(command)) continue;
    REQUIRE(added != nullptr);
    REQUIRE(added->node == name);
    REQUIRE(added->queue == after.id);
    REQUIRE(added->epoch == before.epoch);
  }
}

/// The changes must name every queue that is not what it was.
void check_changes(const std::vector<Change>& changes, const std::map<QueueId, Queue>& before,
                   const std::map<QueueId, Queue>& after) {
  std::set<QueueId> added, placed, removed;
  for (const Change& change : changes) {
    if (const auto* c = std::get_if<QueueAdded>(&change)) added.insert(c->queue);
    if (const auto* c = std::get_if<QueuePlaced>(&change)) placed.insert(c->queue);
    if (const auto* c = std::get_if<QueueRemoved>(&change)) removed.insert(c->queue.id);
  }
  for (const auto& [id, queue] : before) {
    auto now = after.find(id);
    REQUIRE(removed.contains(id) == (now == after.end()));
    if (now != after.end() && now->second != queue) REQUIRE(placed.contains(id));
  }
  for (const auto& [id, queue] : after) REQUIRE(added.contains(id) != before.contains(id));
}

/// Exchanges that delay have their queues, on all nodes, and nobody else has such a queue.
void check_delay_queues(const Catalog& catalog) {
  const bool runs = std::ranges::any_of(catalog.nodes(), [](auto& n) { return n.second.running; });
  std::size_t count = 0;
  for (const auto& [name, exchange] : catalog.exchanges()) {
    if (exchange.type != delaying_type) continue;
    const Queue* queue = catalog.find_queue(delay_queue_of(name));
    if (!queue) {
      REQUIRE_FALSE(runs);
      continue;
    }
    ++count;
    REQUIRE(queue->durable == exchange.durable);
    REQUIRE(queue->policy.empty());
    REQUIRE(queue->operator_policy.empty());
    for (const auto& [node, record] : catalog.nodes()) REQUIRE(contains(queue->replicas, node));
  }
  REQUIRE(count == static_cast<std::size_t>(std::ranges::count_if(
                       catalog.queues(),
                       [](auto& entry) { return is_delay_queue(entry.second.name.name); })));
}

}  // namespace

TEST_CASE("every command leaves every queue in a sane place") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    CommandSource source(seed);
    Fixture f;
    f.must(PutVhost{{"v0", "", {}}});
    for (int step = 0; step < 500; ++step) {
      Command command =
          seed % 2 == 0 ? source.next(f.catalog) : source.next_about_placement(f.catalog);
      auto before = f.catalog.queues();
      auto applied = f.apply(command);
      const auto& after = f.catalog.queues();
      if (!applied) {
        REQUIRE(f.changes.empty());
        REQUIRE(after == before);
      }
      check_changes(f.changes, before, after);
      check_delay_queues(f.catalog);
      for (const auto& [id, queue] : after) {
        check_queue(f.catalog, queue);
        if (auto old = before.find(id); old != before.end())
          check_step(command, old->second, queue);
      }
    }
  }
}

TEST_CASE("catalogs that applied the same commands are the same") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    CommandSource source(seed * 1000);
    Catalog direct;
    Catalog decoded;
    Catalog restored;
    for (int step = 0; step < 600; ++step) {
      Command command = source.next(direct);
      std::vector<Change> first, second, third;
      auto applied = direct.apply(command, first);
      auto again = decoded.apply(*decode_command(encode_command(command)), second);
      if (step % 97 == 50) {
        Catalog fresh;
        REQUIRE(fresh.restore(restored.snapshot()).has_value());
        restored = std::move(fresh);
      }
      auto later = restored.apply(command, third);
      REQUIRE(applied.has_value() == again.has_value());
      REQUIRE(applied.has_value() == later.has_value());
      REQUIRE(first.size() == second.size());
      REQUIRE(first.size() == third.size());
      if (step % 20 == 0 || step > 580) {
        REQUIRE(direct.snapshot() == decoded.snapshot());
        REQUIRE(direct.snapshot() == restored.snapshot());
      }
    }
    for (const auto& [name, exchange] : direct.exchanges())
      for (DestinationKind kind : {DestinationKind::queue, DestinationKind::exchange})
        REQUIRE(direct.bindings_to(kind, name) == restored.bindings_to(kind, name));
  }
}

namespace {

/// Queues as the nodes live them: what each replica's disk holds (entries 1..n) and what was
/// confirmed. The true state of processes runs ahead of the catalog.
class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), source_(seed + 1) {
    f_.add_running({"n0", "n1", "n2", "n3"});
    f_.must(PutVhost{{"v0", "", {}}});
    for (const auto& [name, node] : f_.catalog.nodes()) truth_[name] = {1, true};
  }

  void step() {
    NodeName name = "n" + std::to_string(random_.below(4));
    Process& process = truth_[name];
    switch (random_.below(11)) {
      case 0: process.is_alive = false; break;
      case 1:
        if (random_.chance(5))
          for (auto& [other, each] : truth_) each.is_alive = false;
        break;
      case 2:
        // A restart, of which the catalog may or may not have seen the end before.
        if (!process.is_alive) process = {process.incarnation + 1, true};
        break;
      case 3:
        if (process.is_alive) apply(NodeUp{name, Incarnation{process.incarnation}});
        break;
      case 4:
        if (!process.is_alive) apply(NodesDown{{{name, Incarnation{process.incarnation}}}});
        if (random_.chance(30)) apply(all_dead());
        break;
      case 5:
      case 6:
      case 7: confirm_one(); break;
      case 8: catch_up(name); break;
      case 9: deliver_proposal(); break;
      default: apply_other();
    }
  }

  void check() const {
    for (const auto& [id, queue] : f_.catalog.queues()) {
      if (!queue.durable) continue;
      for (const NodeName& name : queue.in_sync) {
        CAPTURE(name);
        REQUIRE(held(id, name) >= confirmed(id));
      }
    }
  }
  std::uint64_t total_confirmed() const {
    std::uint64_t total = 0;
    for (const auto& [id, count] : confirmed_) total += count;
    return total;
  }

 private:
  struct Process {
    std::uint64_t incarnation;
    bool is_alive;
  };

  NodesDown all_dead() const {
    NodesDown down;
    for (const auto& [name, process] : truth_)
      if (!process.is_alive) down.nodes.push_back({name, Incarnation{process.incarnation}});
    return down;
  }
  bool is_alive_as_known(const NodeName& name) const {
    const Node* node = f_.catalog.find_node(name);
    const Process& process = truth_.at(name);
    return node->running && process.is_alive && node->incarnation.value == process.incarnation;
  }
  std::uint64_t held(QueueId id, const NodeName& name) const {
    auto entry = held_.find({id, name});
    return entry == held_.end() ? 0 : entry->second;
  }
  std::uint64_t confirmed(QueueId id) const {
    auto entry = confirmed_.find(id);
    return entry == confirmed_.end() ? 0 : entry->second;
  }
  const Queue* any_queue() {
    const auto& queues = f_.catalog.queues();
    if (queues.empty()) return nullptr;
    auto place = static_cast<std::ptrdiff_t>(random_.below(queues.size()));
    return &std::next(queues.begin(), place)->second;
  }

  void confirm_one() {
    const Queue* queue = any_queue();
    if (queue == nullptr) return;
    for (const NodeName& name : queue->in_sync)
      if (!is_alive_as_known(name)) return;
    Names holders = queue->in_sync;
    // Those for whom the leader has proposed AddInSync count before it is applied.
    for (const AddInSync& proposal : proposals_) {
      if (proposal.queue != queue->id || proposal.epoch != queue->epoch) continue;
      if (!is_alive_as_known(proposal.node)) return;
      holders.push_back(proposal.node);
    }
    std::uint64_t index = held(queue->id, queue->leader) + 1;
    for (const NodeName& name : holders) held_[{queue->id, name}] = index;
    confirmed_[queue->id] = index;
  }

  void catch_up(const NodeName& name) {
    const Queue* queue = any_queue();
    if (queue == nullptr || !contains(queue->replicas, name)) return;
    if (!is_alive_as_known(queue->leader) || !is_alive_as_known(name)) return;
    held_[{queue->id, name}] = held(queue->id, queue->leader);
    proposals_.push_back({queue->id, queue->epoch, name, queue->placement_version});
  }

  /// The proposals reach the log late and in any order.
  void deliver_proposal() {
    if (proposals_.empty()) return;
    auto place = proposals_.begin() + static_cast<std::ptrdiff_t>(random_.below(proposals_.size()));
    AddInSync proposal = *place;
    proposals_.erase(place);
    apply(proposal);
  }

  void apply_other() {
    Command command = source_.next_about_placement(f_.catalog);
    bool is_played = std::holds_alternative<NodeUp>(command) ||
                     std::holds_alternative<NodesDown>(command) ||
                     std::holds_alternative<AddInSync>(command) ||
                     std::holds_alternative<ForgetNode>(command) || is_unclean(command);
    if (!is_played) apply(command);
  }

  void apply(const Command& command) {
    auto before = f_.catalog.queues();
    static_cast<void>(f_.apply(command));
    // A node that stopped being a replica drops what it held.
    for (const auto& [id, queue] : before) {
      const Queue* now = f_.catalog.find_queue(id);
      for (const NodeName& name : queue.replicas)
        if (now == nullptr || !contains(now->replicas, name)) held_.erase({id, name});
      if (now == nullptr) confirmed_.erase(id);
    }
  }

  base::Random random_;
  CommandSource source_;
  Fixture f_;
  std::map<NodeName, Process> truth_;
  std::vector<AddInSync> proposals_;
  std::map<std::pair<QueueId, NodeName>, std::uint64_t> held_;
  std::map<QueueId, std::uint64_t> confirmed_;
};

}  // namespace

TEST_CASE("whoever is in sync holds everything confirmed, whatever dies and in whatever order") {
  std::uint64_t confirmed = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    World world(seed);
    for (int step = 0; step < 800; ++step) {
      world.step();
      world.check();
    }
    confirmed += world.total_confirmed();
  }
  CHECK(confirmed > 1000);
}
