#include "raft/test_cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "raft/message_codec.h"

namespace warren::raft {

namespace {

std::uint64_t hash(std::uint64_t state, const Entry& entry) {
  for (std::uint64_t part :
       {entry.term.value, entry.index.value, static_cast<std::uint64_t>(entry.kind),
        static_cast<std::uint64_t>(std::hash<std::string>{}(entry.data))})
    state = (state ^ part) * 0x9E3779B97F4A7C15ull + 1;
  return state;
}

void append(std::vector<Entry>& log, const std::vector<Entry>& entries, std::size_t count) {
  if (count == 0) return;
  std::erase_if(log, [&](const Entry& old) { return old.index >= entries.front().index; });
  log.insert(log.end(), entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(count));
}

std::string describe(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::noop:
      return fmt::format("{} noop", entry.index.value);
    case EntryKind::command:
      return fmt::format("{} {}", entry.index.value, entry.data);
    case EntryKind::configuration:
      break;
  }
  return fmt::format("{} configuration", entry.index.value);
}

}  // namespace

std::string role_name(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre-candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      break;
  }
  return "leader";
}

PersistentState founding_state(const Configuration& configuration) {
  PersistentState state;
  state.hard = {Generation{1}, Term{1}, {}};
  state.entries.push_back({Term{1}, LogIndex{1}, EntryKind::configuration, encode(configuration)});
  return state;
}

void TestCluster::add(const MemberId& member, PersistentState state) {
  nodes_[member].disk = std::move(state);
  restart(member);
}

void TestCluster::set_slow_disk(const MemberId& member, bool is_slow) {
  nodes_[member].is_slow = is_slow;
  if (!is_slow) persist(member);
}

bool TestCluster::is_up(const MemberId& member) const {
  auto found = nodes_.find(member);
  return found != nodes_.end() && found->second.core != nullptr;
}

Core& TestCluster::core(const MemberId& member) {
  ASSERT(is_up(member));
  return *nodes_[member].core;
}

std::vector<MemberId> TestCluster::members() const {
  std::vector<MemberId> members;
  for (const auto& [member, node] : nodes_) members.push_back(member);
  return members;
}

void TestCluster::observe() {
  TestChecker::Cores cores;
  for (auto& [member, node] : nodes_) {
    if (node.core == nullptr) continue;
    cores[member] = node.core.get();
    std::string shown =
        fmt::format("{} in term {}", role_name(node.core->role()), node.core->term().value);
    if (shown != node.shown) events_.push_back(member + " is " + shown);
    node.shown = shown;
  }
  checker_.observe(cores);
}

void TestCluster::take(const MemberId& member, Node& node) {
  Output output = node.core->take_output();
  for (auto& [to, message] : output.messages) flights_.push_back({member, to, std::move(message)});
  output.messages.clear();
  apply(member, node, output);
  if (output.token) node.waiting.push_back(std::move(output));
}

void TestCluster::collect(const MemberId& member) {
  Node& node = nodes_[member];
  do {
    while (node.core->has_output()) take(member, node);
    if (!node.is_slow && !node.waiting.empty()) persist(member, 1);
  } while (node.core->has_output() || (!node.is_slow && !node.waiting.empty()));
  observe();
}

void TestCluster::persist(const MemberId& member, std::size_t count) {
  Node& node = nodes_[member];
  for (; count > 0 && !node.waiting.empty(); --count) {
    write(member, node, node.waiting.front());
    PersistToken token = node.waiting.front().token;
    node.waiting.pop_front();
    node.core->persisted(token);
    while (node.core->has_output()) take(member, node);
  }
  observe();
}

void TestCluster::write(const MemberId& member, Node& node, const Output& output) {
  if (output.reset) node.disk = {};
  if (output.hard_state) node.disk.hard = *output.hard_state;
  if (output.snapshot) {
    node.disk.snapshot = output.snapshot;
    node.disk.entries.clear();
  }
  append(node.disk.entries, output.entries, output.entries.size());
  if (!check(node.disk)) checker_.report(member + " wrote a log with a gap");
}

void TestCluster::set_state(const MemberId& member, Node& node, LogIndex index,
                            std::uint64_t state) {
  node.applied = index;
  node.states[index] = node.state = state;
  checker_.applied(member, node.core->generation(), index, state);
}

void TestCluster::apply(const MemberId& member, Node& node, const Output& output) {
  if (output.reset) {
    node.applied = {};
    node.state = 0;
    events_.push_back(member + " drops its log");
  }
  if (output.snapshot) {
    set_state(member, node, output.snapshot->index, std::stoull(output.snapshot->data));
    events_.push_back(fmt::format("{} installs snapshot {}", member, output.snapshot->index.value));
  }
  for (const Entry& entry : output.committed) {
    if (entry.index != node.applied.next())
      checker_.report(fmt::format("{} applied {} out of order", member, entry.index.value));
    set_state(member, node, entry.index, hash(node.state, entry));
    events_.push_back(fmt::format("{} applies {}", member, describe(entry)));
  }
}

void TestCluster::tick(const MemberId& member, base::Duration passed) {
  Node& node = nodes_[member];
  node.now += passed;
  if (node.core == nullptr) return;
  node.core->tick(node.now);
  collect(member);
}

void TestCluster::crash(const MemberId& member, Torn torn) {
  Node& node = nodes_[member];
  if (!node.waiting.empty()) {
    const Output& output = node.waiting.front();
    bool writes_more = torn >= Torn::snapshot_beside_old_log;
    if (torn != Torn::nothing) {
      if (output.reset) node.disk = {};
      if (output.hard_state) node.disk.hard = *output.hard_state;
    }
    if (writes_more && output.snapshot) node.disk.snapshot = output.snapshot;
    if (torn == Torn::half_of_the_entries) {
      if (output.snapshot) node.disk.entries.clear();
      append(node.disk.entries, output.entries, output.entries.size() / 2);
    }
  }
  node.core.reset();
  node.waiting.clear();
  node.shown.clear();
}

void TestCluster::restart(const MemberId& member) {
  Node& node = nodes_[member];
  node.applied = {};
  node.state = 0;
  node.states.clear();
  Options options = options_;
  options.self = member;
  if (!check(node.disk)) {
    checker_.report(member + " cannot restart from its disk");
    return;
  }
  node.core = std::make_unique<Core>(options, base::Random(random_.next()), node.disk);
  if (node.disk.snapshot)
    set_state(member, node, node.disk.snapshot->index, std::stoull(node.disk.snapshot->data));
  tick(member, {});
}

void TestCluster::compact(const MemberId& member, LogIndex index) {
  Node& node = nodes_[member];
  if (index > node.applied || index <= node.core->snapshot_index()) return;
  Snapshot snapshot = node.core->make_snapshot(index, std::to_string(node.states[index]));
  node.disk.snapshot = snapshot;
  std::erase_if(node.disk.entries, [&](const Entry& entry) { return entry.index < index; });
  node.core->compact(std::move(snapshot));
  collect(member);
}

void TestCluster::adopt_new_generation(const MemberId& member) {
  Node& node = nodes_[member];
  checker_.adopted(node.core->generation().next(), node.applied);
  node.core->adopt_new_generation();
  collect(member);
}

void TestCluster::deliver(std::size_t flight) {
  Flight taken = std::move(flights_[flight]);
  flights_.erase(flights_.begin() + static_cast<std::ptrdiff_t>(flight));
  if (!is_up(taken.to)) return;
  auto decoded = decode_message(encode(taken.message));
  if (!decoded || *decoded != taken.message) {
    checker_.report("a message did not survive encoding");
    return;
  }
  core(taken.to).receive(taken.from, std::move(*decoded));
  collect(taken.to);
}

}  // namespace warren::raft
