#include "sim/world.h"

#include <cstdio>

#include "sim/machine.h"
#include "sim/network.h"

namespace warren::sim {

World::World(WorldOptions options)
    : options_(options),
      random_(options.seed * 0x9E3779B97F4A7C15ull + 1),
      network_(std::make_unique<Network>(*this)) {}

World::~World() = default;

base::Duration World::between(base::Duration least, base::Duration most) {
  if (most <= least) return least;
  auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
  return least + base::Duration(static_cast<base::Duration::rep>(random_.below(span)));
}

bool World::run_until(const std::function<bool()>& is_done, base::Duration limit) {
  base::Time end = now() + limit;
  while (!failure_ && !is_done())
    if (!events_.run_one(end)) break;
  return !failure_ && is_done();
}

Machine& World::add_machine(const catalog::NodeName& name) {
  auto& machine = machines_[name];
  machine = std::make_unique<Machine>(*this, name);
  for (auto& [other_name, other] : machines_)
    if (other_name != name) network_->add(*other, *machine);
  return *machine;
}

Machine* World::find(const catalog::NodeName& name) {
  auto found = machines_.find(name);
  return found == machines_.end() ? nullptr : found->second.get();
}

std::vector<Machine*> World::machines() {
  std::vector<Machine*> all;
  for (auto& [name, machine] : machines_) all.push_back(machine.get());
  return all;
}

bool World::is_disturbed() {
  if (now() < disturbed_until_ || network_->is_parted()) return true;
  for (auto& [name, machine] : machines_)
    if (machine->is_paused()) return true;
  return false;
}

void World::on_process_gone(Machine& machine) {
  note_disturbance();
  if (process_observer_) process_observer_(machine);
}

void World::mix(std::uint64_t number) {
  for (int i = 0; i < 8; ++i)
    hash_ = (hash_ ^ ((number >> (8 * i)) & 0xFF)) * 0x100000001B3ull;
}

void World::note(const std::string& line) {
  for (char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  mix(static_cast<std::uint64_t>(now().time_since_epoch().count()));
  if (!options_.is_verbose) return;
  double seconds = std::chrono::duration<double>(now().time_since_epoch()).count();
  fmt::print("{:10.6f} {}\n", seconds, line);
}

void World::fail(std::string text) {
  if (failure_) return;
  trace("FAILED: {}", text);
  failure_ = std::move(text);
}

}  // namespace warren::sim
