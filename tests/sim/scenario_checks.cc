#include "sim/scenario.h"

namespace warren::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using Contents = std::map<broker::MessageIndex, std::string>;

std::string difference(const Contents& one, const Contents& other) {
  std::string text;
  for (const auto& [index, message] : one)
    if (auto found = other.find(index); found == other.end() || found->second != message)
      text += fmt::format(" {}", index.value);
  return text;
}

}  // namespace

bool Scenario::is_everybody_running() {
  std::size_t members = world_.machines().size();
  for (Machine* machine : world_.machines()) {
    if (!machine->is_serving()) return false;
    if (machine->node()->running_members().size() != members) return false;
  }
  return true;
}

std::string Scenario::describe_state() {
  std::string text;
  for (Machine* machine : world_.machines()) {
    text += fmt::format("\n  {}:", machine->name());
    const cluster::Node* node = machine->node();
    if (!node) {
      text += " not there";
      continue;
    }
    text += fmt::format(" phase {}, running {}, linked {}", static_cast<int>(node->phase()),
                        fmt::join(node->running_members(), " "),
                        fmt::join(node->linked_members(), " "));
    if (machine->is_paused()) text += ", paused";
  }
  return text;
}

/// Everything is whole again; the nodes must find together by themselves.
void Scenario::mend() {
  world_.trace("everything is mended");
  auto machines = world_.machines();
  for (Machine* one : machines) {
    for (Machine* other : machines)
      if (one != other) world_.network().rejoin(one->name(), other->name());
    one->resume();
    one->power_on();
    one->set_wanted(true);
    one->start();
  }
  // One that is stopping now is started when it has stopped.
  bool is_whole = world_.run_until(
      [&] {
        for (Machine* machine : world_.machines())
          if (!machine->is_alive()) machine->start();
        return is_everybody_running();
      },
      seconds(90));
  if (world_.options().is_verbose)
    for (Machine* machine : world_.machines()) trace_replicas(*machine);
  if (!is_whole && !world_.failure())
    world_.fail("not all nodes run again:" + describe_state());
}

/// The publishers finish what they have begun: every publish must get its answer.
void Scenario::settle_down() {
  world_.trace("the publishers finish");
  world_.run_for(seconds(2));
  for (Publisher* publisher : publishers_) publisher->finish();
  delayer_->finish();
  // Confirms wait while much more is in memory than may be; a slow disk takes that in pieces.
  const bool is_slow = settings_.slowest_disk > milliseconds(4);
  bool is_done = world_.run_until(
      [&] {
        for (Publisher* publisher : publishers_)
          if (!publisher->is_idle()) return false;
        return true;
      },
      is_slow ? seconds(200) : seconds(40));
  if (!is_done && !world_.failure()) {
    std::string text = "publishes are not answered:";
    for (Publisher* publisher : publishers_) text += "\n  " + publisher->describe();
    if (world_.options().is_verbose)
      for (Machine* machine : world_.machines()) trace_replicas(*machine);
    return world_.fail(text + describe_state());
  }
  world_.run_for(seconds(2));
  check_agreement();
}

/// Nothing may keep two nodes apart for long: soon there is a moment without a difference.
void Scenario::check_agreement() {
  std::optional<std::string> difference;
  auto agree = [&] {
    difference = find_catalog_difference();
    if (!difference) difference = find_replica_difference();
    return !difference;
  };
  base::Time end = world_.now() + seconds(20);
  while (!agree() && world_.now() < end && !world_.failure()) world_.run_for(milliseconds(20));
  if (difference) world_.fail(*difference + describe_state());
}

std::optional<std::string> Scenario::find_catalog_difference() {
  std::string first;
  for (Machine* machine : world_.machines()) {
    if (!machine->is_serving()) return machine->name() + " is gone again";
    std::string snapshot = machine->node()->catalog().snapshot();
    if (first.empty()) first = snapshot;
    if (snapshot != first) return "the catalog of " + machine->name() + " is another one";
  }
  return {};
}

/// What the in-sync replicas of a queue hold must be the same. Transient messages are left out: a
/// replica that restarts comes back without them.
std::optional<std::string> Scenario::find_replica_difference() {
  std::map<catalog::QueueId, std::map<catalog::NodeName, Contents>> found;
  for (Machine* machine : world_.machines()) {
    for (const auto& status : machine->node()->replicas()) {
      Contents& contents = found[status.queue][machine->name()];
      for (const auto& [index, message] : status.messages)
        if (message.is_persistent()) contents.emplace(index, message.encoded());
    }
  }
  const catalog::Catalog& catalog = world_.machines().front()->node()->catalog();
  for (const auto& [id, queue] : catalog.queues()) {
    auto& replicas = found[id];
    const Contents& of_leader = replicas[queue.leader];
    for (const auto& member : queue.in_sync) {
      if (replicas[member] == of_leader) continue;
      return fmt::format("queue {} ({}): the replica on {} has {} messages, the leader {} {}; only "
                         "there:{}, only here:{}",
                         id.value, queue.name.name, member, replicas[member].size(), queue.leader,
                         of_leader.size(), difference(replicas[member], of_leader),
                         difference(of_leader, replicas[member]));
    }
  }
  return {};
}

void Scenario::trace_replicas(Machine& machine) {
  if (!machine.node()) return;
  for (const auto& status : machine.node()->replicas()) {
    const catalog::Queue* queue = machine.node()->catalog().find_queue(status.queue);
    world_.trace("{}: replica of queue {}: last {}, commit {}, {} messages; leader {}, epoch {}, "
                 "in sync {}",
                 machine.name(), status.queue.value, status.last.value, status.commit.value,
                 status.messages.size(), queue ? queue->leader : "-",
                 queue ? queue->epoch.value : 0,
                 queue ? fmt::format("{}", fmt::join(queue->in_sync, " ")) : "-");
  }
}

bool Scenario::are_queues_empty() {
  std::map<catalog::QueueId, std::uint64_t> counts;
  for (Machine* machine : world_.machines()) {
    if (!machine->is_serving()) return false;
    for (const auto& status : machine->node()->led_queues())
      counts[status.queue] = status.counts.ready + status.counts.unacknowledged + status.counts.dying;
  }
  const catalog::Catalog& catalog = world_.machines().front()->node()->catalog();
  if (counts.size() != catalog.queues().size()) return false;
  for (const auto& [queue, count] : counts)
    if (count > 0) return false;
  return true;
}

/// Takes everything out of the queues: what was confirmed must come.
void Scenario::drain() {
  world_.trace("the queues are drained");
  std::vector<std::unique_ptr<Client>> drains;
  for (const std::string& queue : queues_) {
    Consumer::Plan plan;
    plan.queue = queue;
    plan.prefetch = 100;
    plan.requeue_percent = plan.reject_percent = 0;
    plan.sync_percent = 100;
    plan.slowness = milliseconds(2);
    auto made = std::make_unique<Consumer>(world_, ledger_, "drain-" + queue, plan);
    made->start();
    clients_.push_back(std::move(made));
  }
  auto count_left = [this] {
    std::uint64_t left = 0;
    for (Machine* machine : world_.machines())
      for (const auto& status : machine->node()->led_queues())
        left += status.counts.ready + status.counts.unacknowledged + status.counts.dying;
    return left;
  };
  bool is_empty = false;
  // With little memory and a slow disk it takes long, but after each minute less has to be left.
  std::uint64_t before = UINT64_MAX;
  for (std::uint64_t left = count_left(); left < before && !is_empty && !world_.failure();) {
    before = left;
    is_empty = world_.run_until([&] { return are_queues_empty(); }, seconds(60));
    left = count_left();
  }
  if (!is_empty && !world_.failure()) {
    std::string text = "the queues do not run empty:";
    for (Machine* machine : world_.machines())
      for (const auto& status : machine->node()->led_queues())
        text += fmt::format("\n  queue {} on {}: {} ready, {} unacknowledged, {} dying, {} consumers",
                            status.queue.value, machine->name(), status.counts.ready,
                            status.counts.unacknowledged, status.counts.dying,
                            status.counts.consumers);
    return world_.fail(text + describe_state());
  }
  world_.run_for(seconds(1));
  if (!world_.failure()) ledger_.check_nothing_lost();
  if (!delayer_->is_idle() && !world_.failure()) world_.fail(delayer_->describe());
}

/// A power failure everywhere must not bring back what is gone, nor stop the cluster.
void Scenario::restart_everything() {
  world_.trace("the power fails everywhere");
  for (Machine* machine : world_.machines()) machine->lose_power();
  for (Machine* machine : world_.machines()) {
    world_.after(world_.between(milliseconds(10), seconds(1)), [machine] {
      machine->power_on();
      machine->start();
    });
  }
  if (!world_.run_until([&] { return is_everybody_running(); }, seconds(60)) && !world_.failure())
    return world_.fail("not all nodes run after a power failure:" + describe_state());
  world_.run_for(seconds(3));
  check_agreement();
}

std::string Scenario::summary() {
  std::uint64_t written = 0, read = 0;
  for (Machine* machine : world_.machines()) {
    written += machine->files().segment_writes;
    read += machine->files().segment_reads;
  }
  return fmt::format("{} published, {} confirmed, {} delivered, {} delayed, {} segments, {} reads",
                     ledger_.published(), ledger_.confirmed_count(), ledger_.delivered_count(),
                     delayer_ ? delayer_->taken() : 0, written, read);
}

}  // namespace warren::sim
