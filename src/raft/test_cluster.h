#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/core.h"
#include "raft/test_checker.h"

namespace warren::raft {

/// What a crash leaves of the output that was being written.
enum class Torn { nothing, hard_state, snapshot_beside_old_log, half_of_the_entries };

/// Cores with disks and a network that do exactly what a test says: nothing is delivered or made
/// durable unless asked for. The state machine is a hash over the entries. For tests.
class TestCluster {
 public:
  struct Flight {
    MemberId from;
    MemberId to;
    Message message;
  };

  TestCluster(Options options, std::uint64_t seed) : options_(options), random_(seed) {}

  /// Starts a member. Its disk works at once until set_slow_disk().
  void add(const MemberId& member, PersistentState state);
  void set_slow_disk(const MemberId& member, bool is_slow);

  bool is_up(const MemberId& member) const;
  Core& core(const MemberId& member);
  std::vector<MemberId> members() const;
  TestChecker& checker() { return checker_; }

  /// Call after every use of core(): takes its outputs.
  void collect(const MemberId& member);
  /// Makes the first `count` waiting outputs durable.
  void persist(const MemberId& member, std::size_t count = SIZE_MAX);

  void tick(const MemberId& member, base::Duration passed);
  base::Time now(const MemberId& member) { return nodes_[member].now; }
  void crash(const MemberId& member, Torn torn = Torn::nothing);
  void restart(const MemberId& member);
  void compact(const MemberId& member, LogIndex index);
  void adopt_new_generation(const MemberId& member);

  /// Messages on their way, oldest first.
  std::deque<Flight>& flights() { return flights_; }
  /// Gives one message to its receiver, by way of its bytes, and takes it off.
  void deliver(std::size_t flight);

  /// What happened since the last call, in words.
  std::vector<std::string> take_events() { return std::exchange(events_, {}); }

 private:
  struct Node {
    std::unique_ptr<Core> core;
    PersistentState disk;
    std::deque<Output> waiting;
    bool is_slow = false;
    base::Time now{};
    LogIndex applied;
    std::uint64_t state = 0;
    std::map<LogIndex, std::uint64_t> states;
    std::string shown;
  };

  void take(const MemberId& member, Node& node);
  void apply(const MemberId& member, Node& node, const Output& output);
  void write(const MemberId& member, Node& node, const Output& output);
  void set_state(const MemberId& member, Node& node, LogIndex index, std::uint64_t state);
  void observe();

  Options options_;
  base::Random random_;
  std::map<MemberId, Node> nodes_;
  std::deque<Flight> flights_;
  TestChecker checker_;
  std::vector<std::string> events_;
};

/// The state of one of `configuration`'s members when the whole cluster is made at once.
PersistentState founding_state(const Configuration& configuration);
std::string role_name(Role role);

}  // namespace warren::raft
