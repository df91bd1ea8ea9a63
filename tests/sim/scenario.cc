#include "sim/scenario.h"

namespace warren::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const char* const mirror_all = R"({"ha-mode":"all"})";
const char* const mirror_two = R"({"ha-mode":"exactly","ha-params":2})";

}  // namespace

Scenario::Scenario(WorldOptions options) : world_(options), ledger_(world_) { choose(); }

void Scenario::choose() {
  base::Random& random = world_.random();
  std::uint64_t size = random.below(10);
  first_nodes_ = size == 0 ? 1 : size < 6 ? 2 : 3;
  has_late_joiner_ = random.chance(25);
  has_ram_node_ = first_nodes_ > 1 && random.chance(15);
  chaos_ = world_.between(seconds(8), seconds(25));
  settings_.file_bytes = std::size_t{16 * 1024} << random.below(7);
  // In many runs hardly anything may stay in memory, so that messages come and go to segments.
  if (random.chance(60)) settings_.memory_budget = 256 << random.below(9);
  settings_.segment_bytes = std::size_t{512} << random.below(8);
  settings_.read_bytes = std::size_t{256} << random.below(7);
  settings_.slowest_disk = random.chance(20) ? milliseconds(40) : milliseconds(4);
  settings_.link_silence = milliseconds(1500 + 500 * random.below(4));
  if (random.chance(20)) world_.network().set_slowest(milliseconds(40));
  // A few kinds of faults each time: what comes seldom in a mix of all gets its chance.
  auto weight = [&] { return static_cast<unsigned>(random.chance(35) ? 1 + random.below(4) : 0); };
  weights_ = {.kill = weight(), .lose_power = weight(), .kill_all = weight() / 2,
              .lose_power_all = weight() / 2, .stop = weight(), .stop_all = weight() / 2,
              .pause = weight(), .part = weight(), .isolate = weight(), .break_link = weight(),
              .break_disk = weight() / 4, .policy = weight(), .move_client = weight(),
              .delete_queue = weight() / 2, .purge = weight() / 2};
}

void Scenario::make_cluster() {
  world_.set_process_observer([this](Machine& machine) {
    for (auto& client : clients_) client->on_process_gone(machine);
  });
  world_.set_node_observer([this](Machine& machine) { on_node_changed(machine); });
  Machine& first = world_.add_machine("n1@sim");
  set_up(first);
  first.start();
  if (!world_.run_until([&] { return first.is_serving(); }, seconds(10)))
    return world_.fail("the first node does not start");
  for (std::size_t i = 2; i <= first_nodes_; ++i) {
    bool is_ram = has_ram_node_ && i == first_nodes_;
    join(fmt::format("n{}@sim", i), is_ram ? catalog::NodeKind::ram : catalog::NodeKind::disc);
  }
}

void Scenario::set_up(Machine& machine) {
  machine.settings() = settings_;
  machine.set_change_observer([this](Machine& changed, const catalog::Change& change) {
    const auto* added = std::get_if<catalog::QueueAdded>(&change);
    const auto* placed = std::get_if<catalog::QueuePlaced>(&change);
    if (!added && !placed) return;
    const catalog::Queue* queue =
        changed.node()->catalog().find_queue(added ? added->queue : placed->queue);
    if (queue) ledger_.note_leader(*queue);
  });
}

void Scenario::on_node_changed(Machine& machine) {
  if (machine.node()->phase() == cluster::NodePhase::running) {
    for (const auto& [id, queue] : machine.node()->catalog().queues()) ledger_.note_leader(queue);
  }
  if (world_.options().is_verbose) trace_replicas(machine);
  ledger_.note_end_of_process();
}

void Scenario::join(const catalog::NodeName& name, catalog::NodeKind kind) {
  Machine* member = some_machine();
  if (!member || !member->is_serving() || world_.failure()) return;
  cluster::NodeFacts facts;
  facts.uuid = fmt::format("uuid-{}-{:x}", name, world_.random().next());
  facts.kind = kind;
  for (const auto& [other, node] : member->node()->catalog().nodes())
    facts.members.push_back(other);
  facts.members.push_back(name);
  facts.is_virgin = false;
  world_.trace("{} joins", name);
  auto accepted = std::make_shared<std::optional<bool>>();
  member->input(member->run(), [&](cluster::Node& node) {
    node.propose(catalog::AddNode{name, kind, facts.uuid},
                 [accepted](auto result) { *accepted = result.has_value(); });
  });
  auto go_on = [this, name, facts, accepted] {
    if (!accepted->value_or(false)) return;
    Machine& machine = world_.add_machine(name);
    set_up(machine);
    machine.prepare_joined(facts);
    machine.start();
  };
  if (clients_.empty()) {
    world_.run_until([&] { return accepted->has_value(); }, seconds(20));
    go_on();
    world_.run_until([&] { return is_everybody_running(); }, seconds(60));
    if (!is_everybody_running()) world_.fail(name + " does not get into the cluster");
  } else {
    world_.after(seconds(2), go_on);
  }
}

void Scenario::make_clients() {
  base::Random& random = world_.random();
  bool has_deletes = weights_.delete_queue + weights_.purge > 0;
  std::vector<Admin::QueuePlan> plans = {{"ha.a"}, {"ha.b", true, false, true}, {"solo"},
                                         {"ha.fast", true, true}, {"ha.brief", false, true}};
  // Seldom all at once: every queue slows down the others.
  if (random.chance(50)) {
    std::string target = random.chance(50) ? "ha.dead" : "dead";
    plans.push_back({target});
    plans.push_back({.name = "ha.dying", .dead_letters = target});
  }
  if (random.chance(50)) {
    base::FieldTable narrow{{"x-max-length", std::int32_t{30}}, {"x-overflow", "reject-publish"}};
    plans.push_back({.name = "ha.narrow", .arguments = narrow});
    base::FieldTable brief{{"x-max-length", std::int32_t{50}},
                           {"x-message-ttl", std::int32_t{3000}}};
    plans.push_back({.name = Publisher::short_lived, .is_excused = true, .arguments = brief});
  }
  if (has_deletes) plans.push_back({"ha.doomed"});
  for (const auto& plan : plans) queues_.push_back(plan.name);
  auto admin = std::make_unique<Admin>(world_, ledger_, plans);
  admin_ = admin.get();
  clients_.push_back(std::move(admin));

  std::size_t publishers = 1 + random.below(3);
  for (std::size_t i = 0; i < publishers; ++i) {
    Publisher::Plan plan;
    plan.queues = queues_;
    plan.interval = milliseconds(10 + random.below(60));
    auto made = std::make_unique<Publisher>(world_, ledger_, fmt::format("publisher{}", i), plan);
    publishers_.push_back(made.get());
    clients_.push_back(std::move(made));
  }
  auto delayer = std::make_unique<Delayer>(world_, ledger_);
  delayer_ = delayer.get();
  clients_.push_back(std::move(delayer));
  for (const std::string& queue : queues_) {
    std::size_t consumers = random.below(3);
    for (std::size_t i = 0; i < consumers; ++i) {
      Consumer::Plan plan;
      plan.queue = queue;
      plan.way = random.chance(25) ? Consumer::Way::get : Consumer::Way::consume;
      plan.prefetch = static_cast<std::uint16_t>(random.below(15));
      plan.no_ack = queue == "ha.fast" && random.chance(60);
      for (const Admin::QueuePlan& declared : plans)
        if (declared.name == queue) plan.dead_letters = declared.dead_letters;
      if (!plan.dead_letters.empty()) plan.reject_percent = 50;
      auto made = std::make_unique<Consumer>(world_, ledger_,
                                             fmt::format("consumer-{}-{}", queue, i), plan);
      consumers_.push_back(made.get());
      clients_.push_back(std::move(made));
    }
  }
}

void Scenario::start_clients() {
  admin_->start();
  if (world_.random().chance(75)) admin_->set_policy(world_.random().chance(70) ? mirror_all
                                                                                : mirror_two);
  world_.run_until([this] { return admin_->has_all() && admin_->is_idle(); }, seconds(20));
  if (!admin_->has_all()) return world_.fail("the queues can't be declared");
  for (auto& client : clients_)
    if (client.get() != admin_) client->start();
}

Machine* Scenario::some_machine() {
  auto machines = world_.machines();
  return machines.empty() ? nullptr : machines[world_.random().below(machines.size())];
}

void Scenario::plan_fault() {
  world_.after(world_.between(milliseconds(100), seconds(3)), [this] {
    if (is_chaos_over_) return;
    cause_fault();
    plan_fault();
  });
}

void Scenario::kill(Machine& machine, bool is_power) {
  if (is_power)
    machine.lose_power();
  else
    machine.kill();
  start_later(machine);
}

void Scenario::start_later(Machine& machine) {
  base::Duration off = world_.between(milliseconds(10), seconds(3));
  if (world_.random().chance(20)) off *= 4;
  world_.after(off, [this, &machine] {
    machine.power_on();
    world_.after(world_.between(milliseconds(0), seconds(1)), [&machine] { machine.start(); });
  });
}

void Scenario::change_policy() {
  switch (world_.random().below(4)) {
    case 0: return admin_->clear_policy();
    case 1: return admin_->set_policy(mirror_two);
    default: return admin_->set_policy(mirror_all);
  }
}

void Scenario::cause_fault() {
  Machine& one = *some_machine();
  Machine& two = *some_machine();
  base::Duration time = world_.between(milliseconds(20), seconds(4));
  if (world_.random().chance(15)) time *= 3;
  auto part = [&](Machine& a, Machine& b) {
    if (&a == &b) return;
    world_.network().part(a.name(), b.name());
    world_.after(time, [this, &a, &b] { world_.network().rejoin(a.name(), b.name()); });
  };
  const std::pair<unsigned, std::function<void()>> faults[] = {
      {weights_.kill, [&] { kill(one, false); }},
      {weights_.lose_power, [&] { kill(one, true); }},
      {weights_.kill_all, [&] { for (Machine* m : world_.machines()) kill(*m, false); }},
      {weights_.lose_power_all, [&] { for (Machine* m : world_.machines()) kill(*m, true); }},
      {weights_.stop, [&] { one.stop(); start_later(one); }},
      {weights_.stop_all,
       [&] { for (Machine* m : world_.machines()) { m->stop(); start_later(*m); } }},
      {weights_.pause, [&] { one.pause(); world_.after(time, [&one] { one.resume(); }); }},
      {weights_.part, [&] { part(one, two); }},
      {weights_.isolate, [&] { for (Machine* m : world_.machines()) part(one, *m); }},
      {weights_.break_link,
       [&] { if (&one != &two) world_.network().break_link(one.name(), two.name()); }},
      {weights_.break_disk, [&] { one.break_disk(); }},
      {weights_.policy, [&] { change_policy(); }},
      {weights_.move_client, [&] { clients_[world_.random().below(clients_.size())]->leave(); }},
      {weights_.delete_queue, [&] { admin_->delete_queue("ha.doomed"); }},
      {weights_.purge, [&] { admin_->purge_queue("ha.doomed"); }},
  };
  unsigned total = 0;
  for (const auto& [weight, cause] : faults) total += weight;
  if (total == 0) return;
  std::uint64_t chosen = world_.random().below(total);
  for (const auto& [weight, cause] : faults) {
    if (chosen < weight) return cause();
    chosen -= weight;
  }
}

std::optional<std::string> Scenario::run() {
  make_cluster();
  if (!world_.failure()) make_clients();
  if (!world_.failure()) start_clients();
  if (!world_.failure()) {
    plan_fault();
    if (has_late_joiner_)
      world_.after(chaos_ / 2, [this] { join("n9@sim", catalog::NodeKind::disc); });
    world_.run_for(chaos_);
    is_chaos_over_ = true;
  }
  if (!world_.failure()) mend();
  if (!world_.failure()) settle_down();
  if (!world_.failure()) drain();
  if (!world_.failure()) restart_everything();
  return world_.failure();
}

}  // namespace warren::sim
