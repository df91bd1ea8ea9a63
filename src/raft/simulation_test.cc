#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>

#include "raft/test_cluster.h"

using namespace warren::raft;
using warren::base::Random;

namespace {

const std::vector<MemberId> names = {"a", "b", "c", "d", "e"};

/// One life of a cluster: a few hundred events drawn from a seed, then a calm in which it must
/// find together.
class Simulation {
 public:
  Simulation(std::uint64_t seed, Mutation mutation)
      : random_(seed), cluster_(options(mutation), seed * 31 + 7) {
    std::size_t founders = random_.chance(50) ? 3 : 1 + random_.below(5);
    Configuration configuration;
    for (std::size_t i = 0; i < founders; ++i) configuration.voters.push_back(names[i]);
    for (std::size_t i = 0; i < names.size(); ++i) {
      cluster_.add(names[i], i < founders ? founding_state(configuration) : PersistentState{});
      cluster_.set_slow_disk(names[i], true);
    }
    loss_percent_ = static_cast<unsigned>(random_.chance(50) ? 0 : random_.below(10));
    changes_members_ = random_.chance(60);
    leaves_quorum_ = random_.chance(20);
  }

  /// What went wrong; empty after a good life.
  std::vector<std::string> run(int events) {
    for (int i = 0; i < events && cluster_.checker().violations().empty(); ++i) {
      act();
      if (i % 16 == 0) compare_logs();
    }
    calm_down();
    return cluster_.checker().violations();
  }

  std::size_t committed() const { return committed_; }

 private:
  static Options options(Mutation mutation) {
    Options options;
    options.max_append_entries = 3;
    options.max_in_flight = 3;
    options.snapshot_retry = std::chrono::milliseconds(1500);
    options.mutation = mutation;
    return options;
  }

  const MemberId& any_name() { return names[random_.below(names.size())]; }

  void act() {
    const MemberId& name = any_name();
    std::uint64_t dice = random_.below(1000);
    if (dice < 500) return move_messages();
    if (dice < 620) return pass_time();
    if (dice < 770) return persist(name);
    if (dice < 777) return crash_or_restart(name);
    if (dice < 782) return cut_or_heal();
    if (dice < 900) return propose();
    if (!cluster_.is_up(name)) return restart_sometimes(name);
    Core& core = cluster_.core(name);
    if (dice < 925 && changes_members_)
      change(core);
    else if (dice < 955)
      cluster_.compact(name, core.applied_index());
    else if (dice < 965)
      core.transfer_leadership(any_name());
    else if (dice < 975)
      core.peer_unreachable(any_name());
    else if (dice < 985)
      core.peer_reachable(any_name());
    else if (dice >= 994)
      core.peer_dead(any_name());  // true or not: it may cost time, but no promise
    else if (leaves_quorum_ && dice < 987)
      return leave_quorum(name);
    cluster_.collect(name);
  }

  void move_messages() {
    for (std::uint64_t left = 1 + random_.below(8); left > 0; --left) move_message();
  }

  void move_message() {
    auto& flights = cluster_.flights();
    if (flights.empty()) return;
    // Mostly in order, as on a stream, with some that overtake.
    std::size_t chosen = random_.chance(70) ? 0 : random_.below(flights.size());
    auto& flight = flights[chosen];
    if (random_.chance(loss_percent_) || cut_.contains({flight.from, flight.to})) {
      flights.erase(flights.begin() + static_cast<std::ptrdiff_t>(chosen));
      return;
    }
    if (random_.chance(3)) flights.push_back(TestCluster::Flight(flight));
    cluster_.deliver(chosen);
  }

  /// Clocks run at different speeds, and some members are asleep.
  void pass_time() {
    std::uint64_t ms = random_.below(400);
    for (const MemberId& name : names)
      if (random_.chance(80))
        cluster_.tick(name, std::chrono::milliseconds(ms / 2 + random_.below(ms + 1)));
  }

  void persist(const MemberId& name) {
    if (cluster_.is_up(name)) cluster_.persist(name, 1 + random_.below(3));
  }

  /// To whoever thinks that it leads.
  void propose() {
    for (const MemberId& name : names) {
      if (!cluster_.is_up(name) || cluster_.core(name).role() != Role::leader) continue;
      (void)cluster_.core(name).propose(fmt::format("{}-{}", name, ++proposals_));
      cluster_.collect(name);
    }
  }

  void crash_or_restart(const MemberId& name) {
    if (cluster_.is_up(name))
      cluster_.crash(name, static_cast<Torn>(random_.below(4)));
    else
      restart(name);
  }

  void restart_sometimes(const MemberId& name) {
    if (random_.chance(8)) restart(name);
  }

  void restart(const MemberId& name) {
    cluster_.restart(name);
    if (!cluster_.is_up(name)) return;
    // The crash cut short its leaving of the quorum, which the operator repeats.
    bool is_half_gone = name == leaver_ && cluster_.core(name).generation() == newest_ &&
                        cluster_.core(name).configuration().voters != std::vector{name};
    if (is_half_gone && cluster_.core(name).log().last_term() < cluster_.core(name).term())
      leave_quorum(name);
  }

  void cut_or_heal() {
    if (random_.chance(50)) {
      cut_.clear();
      return;
    }
    const MemberId& alone = any_name();
    for (const MemberId& other : names) {
      if (random_.chance(80)) cut_.insert({alone, other});
      if (random_.chance(80)) cut_.insert({other, alone});
    }
  }

  void change(Core& core) {
    Configuration next = core.configuration();
    const MemberId& name = any_name();
    auto drop = [&](std::vector<MemberId>& list) { std::erase(list, name); };
    auto add = [&](std::vector<MemberId>& list) {
      list.insert(std::lower_bound(list.begin(), list.end(), name), name);
    };
    bool was_voter = next.is_voter(name);
    drop(next.voters);
    drop(next.learners);
    if (was_voter ? random_.chance(20) : random_.chance(30))
      add(next.learners);
    else if (!was_voter && random_.chance(90))
      add(next.voters);
    (void)core.propose_configuration(std::move(next));
  }

  /// Only the member with the highest generation: two in one generation are the operator's fault.
  void leave_quorum(const MemberId& name) {
    Core& core = cluster_.core(name);
    if (core.generation() != newest_ || !core.configuration().is_member(name)) return;
    newest_ = newest_.next();
    leaver_ = name;
    cluster_.adopt_new_generation(name);
  }

  void compare_logs() {
    TestChecker::Cores cores;
    for (const MemberId& name : names)
      if (cluster_.is_up(name)) cores[name] = &cluster_.core(name);
    cluster_.checker().compare_logs(cores);
  }

  const Core* leader() {
    const Core* best = nullptr;
    for (const MemberId& name : names) {
      const Core& core = cluster_.core(name);
      auto rank = [](const Core& of) { return std::pair(of.generation(), of.term()); };
      if (core.role() == Role::leader && (best == nullptr || rank(core) > rank(*best)))
        best = &core;
    }
    return best;
  }

  bool is_settled() {
    const Core* core = leader();
    if (core == nullptr || core->applied_index() != core->last_index()) return false;
    for (const auto* members : {&core->configuration().voters, &core->configuration().learners})
      for (const MemberId& name : *members)
        if (cluster_.core(name).applied_index() != core->applied_index()) return false;
    return true;
  }

  void calm_down() {
    for (const MemberId& name : names) {
      if (!cluster_.is_up(name)) restart(name);
      if (!cluster_.is_up(name)) return;
      cluster_.set_slow_disk(name, false);
      cluster_.collect(name);
    }
    for (int round = 0; round < 300 && cluster_.checker().violations().empty(); ++round) {
      for (const MemberId& name : names) cluster_.tick(name, std::chrono::milliseconds(50));
      for (int left = 2000; left > 0 && !cluster_.flights().empty(); --left) cluster_.deliver(0);
      if (round > 40 && is_settled()) break;
    }
    compare_logs();
    if (!is_settled())
      cluster_.checker().report("the members do not find together");
    else
      committed_ = leader()->applied_index().value;
  }

  Random random_;
  TestCluster cluster_;
  unsigned loss_percent_ = 0;
  bool leaves_quorum_ = false;
  bool changes_members_ = false;
  Generation newest_{1};
  MemberId leaver_;
  std::set<std::pair<MemberId, MemberId>> cut_;
  std::size_t proposals_ = 0;
  std::size_t committed_ = 0;
};

}  // namespace

TEST_CASE("random lives keep every promise and end in agreement") {
  constexpr std::uint64_t lives = 250;
  std::size_t committed = 0;
  for (std::uint64_t seed = 1; seed <= lives; ++seed) {
    CAPTURE(seed);
    Simulation simulation(seed, Mutation::none);
    auto violations = simulation.run(800);
    committed += simulation.committed();
    for (const std::string& violation : violations) FAIL_CHECK(violation);
    if (!violations.empty()) break;
  }
  // They are busy enough to mean something.
  CHECK(committed > lives * 20);
}

// Most faults need a sequence that chance does not hit in so short a time; the transcripts are for
// those. That it hits some says that the lives and the checker are awake.
TEST_CASE("random lives find the plainest faults") {
  for (Mutation fault : {Mutation::count_unpersisted_on_leader, Mutation::acknowledge_unpersisted,
                         Mutation::vote_without_log_check, Mutation::effective_on_commit}) {
    CAPTURE(static_cast<int>(fault));
    bool is_found = false;
    for (std::uint64_t seed = 1; seed <= 150 && !is_found; ++seed)
      is_found = !Simulation(seed, fault).run(800).empty();
    CHECK(is_found);
  }
}
