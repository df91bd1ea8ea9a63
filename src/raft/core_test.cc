#include <doctest/doctest.h>

#include "raft/core.h"
#include "raft/test_cluster.h"

using namespace warren::raft;
using namespace std::chrono_literals;
using warren::base::ErrorCode;
using warren::base::Random;
using warren::base::Time;

namespace {

Entry command(std::uint64_t term, std::uint64_t index, const char* data = "x") {
  return {Term{term}, LogIndex{index}, EntryKind::command, data};
}

/// Takes outputs and says at once that they are durable.
std::vector<Output> drain(Core& core) {
  std::vector<Output> outputs;
  while (core.has_output()) {
    outputs.push_back(core.take_output());
    if (outputs.back().token) core.persisted(outputs.back().token);
  }
  return outputs;
}

Core make_core(PersistentState state, Options options = {}) {
  options.self = "a";
  Core core(options, Random(1), std::move(state));
  core.tick(Time{});
  return core;
}

const Configuration three{{"a", "b", "c"}, {}};

/// A follower of b in term 2, with entries 2 to 6 of term 2, of which 3 are committed.
Core make_follower() {
  PersistentState state = founding_state(three);
  state.hard.term = Term{2};
  for (std::uint64_t i = 2; i <= 6; ++i) state.entries.push_back(command(2, i));
  Core core = make_core(std::move(state));
  core.receive("b", {Generation{1}, Term{2}, AppendRequest{LogIndex{6}, Term{2}, LogIndex{3}}});
  drain(core);
  return core;
}

const AppendResponse* find_response(const std::vector<Output>& outputs) {
  const AppendResponse* found = nullptr;
  for (const Output& output : outputs)
    for (const auto& [to, message] : output.messages)
      if (const auto* response = std::get_if<AppendResponse>(&message.body)) found = response;
  return found;
}

}  // namespace

TEST_CASE("a bootstrapped member leads at once and commits alone") {
  Core core = make_core(bootstrap("a"));
  drain(core);
  CHECK(core.role() == Role::leader);
  CHECK(core.generation() == Generation{1});
  auto index = core.propose("x");
  REQUIRE(index.has_value());
  auto outputs = drain(core);
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[0].entries.size() == 1);
  CHECK(outputs[0].committed.empty());
  CHECK(outputs[1].committed.front() == command(2, 3));
  CHECK(*index == LogIndex{3});
}

TEST_CASE("a member with nothing is silent and has no deadline") {
  Core core = make_core({});
  core.tick(Time{} + 1h);
  CHECK(core.deadline() == warren::base::never);
  CHECK_FALSE(core.has_output());
  CHECK(core.propose("x").error().code == ErrorCode::unavailable);
}

TEST_CASE("a snapshot whose last entry the log has only commits it") {
  Core core = make_follower();
  core.receive("b",
               {Generation{1}, Term{2}, SnapshotRequest{{LogIndex{5}, Term{2}, three, "state"}}});
  auto outputs = drain(core);
  for (const Output& output : outputs) CHECK_FALSE(output.snapshot.has_value());
  CHECK(core.commit_index() == LogIndex{5});
  CHECK(core.last_index() == LogIndex{6});
  CHECK(core.snapshot_index() == LogIndex{});
}

TEST_CASE("a snapshot after the log's end or in conflict with it replaces the log") {
  for (Snapshot snapshot : {Snapshot{LogIndex{9}, Term{2}, three, "state"},
                            Snapshot{LogIndex{5}, Term{1}, three, "state"}}) {
    Core core = make_follower();
    core.receive("b", {Generation{1}, Term{2}, SnapshotRequest{snapshot}});
    Output output = core.take_output();
    CHECK(output.snapshot == snapshot);
    CHECK(core.last_index() == snapshot.index);
    CHECK(core.durable_index() < snapshot.index);
    core.persisted(output.token);
    CHECK(core.durable_index() == snapshot.index);
    const auto outputs = drain(core);
    REQUIRE(find_response(outputs) != nullptr);
    CHECK(find_response(outputs)->durable == snapshot.index);
  }
}

TEST_CASE("a snapshot older than what is committed is acknowledged and ignored") {
  Core core = make_follower();
  core.receive("b",
               {Generation{1}, Term{2}, SnapshotRequest{{LogIndex{2}, Term{2}, three, "state"}}});
  auto outputs = drain(core);
  REQUIRE(outputs.size() == 1);
  CHECK_FALSE(outputs[0].token);
  CHECK(core.last_index() == LogIndex{6});
}

TEST_CASE("a late append from before a snapshot does not reach behind it") {
  Core core = make_follower();
  core.receive("b",
               {Generation{1}, Term{2}, SnapshotRequest{{LogIndex{9}, Term{2}, three, "state"}}});
  drain(core);
  core.receive(
      "b",
      {Generation{1}, Term{2},
       AppendRequest{
           LogIndex{7}, Term{2}, LogIndex{9}, {command(2, 8), command(2, 9), command(2, 10)}}});
  drain(core);
  CHECK(core.last_index() == LogIndex{10});
  CHECK(core.snapshot_index() == LogIndex{9});
}

TEST_CASE("a restart uses the entries after its snapshot only where they follow on it") {
  PersistentState state;
  state.hard = {Generation{1}, Term{3}, "b"};
  state.snapshot = Snapshot{LogIndex{4}, Term{2}, three, "state"};
  SUBCASE("overlapping and matching") {
    for (std::uint64_t i = 3; i <= 6; ++i) state.entries.push_back(command(2, i));
    Core core = make_core(state);
    CHECK(core.last_index() == LogIndex{6});
    CHECK_FALSE(core.has_output());
  }
  SUBCASE("adjacent") {
    state.entries = {command(2, 5)};
    CHECK(make_core(state).last_index() == LogIndex{5});
  }
  SUBCASE("in conflict") {
    for (std::uint64_t i = 3; i <= 6; ++i) state.entries.push_back(command(1, i));
    Core core = make_core(state);
    CHECK(core.last_index() == LogIndex{4});
    CHECK(core.take_output().snapshot == state.snapshot);
  }
  SUBCASE("all before it") {
    state.entries = {command(1, 1), command(1, 2)};
    Core core = make_core(state);
    CHECK(core.last_index() == LogIndex{4});
    CHECK(core.take_output().snapshot == state.snapshot);
  }
}

TEST_CASE("what a disk returns is checked before a core is made of it") {
  PersistentState sound = founding_state(three);
  sound.entries.push_back(command(1, 2));
  CHECK(check(sound).has_value());
  PersistentState state = sound;
  state.entries.push_back(command(1, 4));
  CHECK(check(state).error().code == ErrorCode::corrupt);
  state = sound;
  state.entries.erase(state.entries.begin());
  CHECK_FALSE(check(state).has_value());
  state = sound;
  state.entries[1].term = Term{};
  CHECK_FALSE(check(state).has_value());
  state = sound;
  state.entries[0].data = "junk";
  CHECK_FALSE(check(state).has_value());
  state = sound;
  state.snapshot = Snapshot{LogIndex{1}, Term{1}, {}, ""};
  CHECK_FALSE(check(state).has_value());
}

TEST_CASE("a term that only the log remembers is taken, without a vote in it") {
  PersistentState state = founding_state(three);
  state.hard.voted_for = "c";
  state.entries.push_back(command(5, 2));
  Core core = make_core(state);
  CHECK(core.term() == Term{5});
  CHECK(core.take_output().hard_state == HardState{Generation{1}, Term{5}, ""});
}

TEST_CASE("messages that contradict themselves are ignored") {
  Core core = make_follower();
  AppendRequest gap{LogIndex{6}, Term{2}, LogIndex{3}, {command(2, 8)}};
  AppendRequest future{LogIndex{6}, Term{2}, LogIndex{3}, {command(9, 7)}};
  AppendRequest falling{LogIndex{6}, Term{2}, LogIndex{3}, {command(1, 7)}};
  AppendRequest junk{LogIndex{6},
                     Term{2},
                     LogIndex{3},
                     {{Term{2}, LogIndex{7}, EntryKind::configuration, "junk"}}};
  for (const AppendRequest& request : {gap, future, falling, junk})
    core.receive("b", {Generation{1}, Term{2}, request});
  core.receive("b", {Generation{1}, Term{2}, SnapshotRequest{{LogIndex{9}, Term{9}, three, ""}}});
  core.receive("b", {Generation{1}, Term{2}, AppendResponse{}});
  core.receive("a", {Generation{1}, Term{9}, TimeoutNow{}});
  CHECK_FALSE(core.has_output());
  CHECK(core.last_index() == LogIndex{6});
}

TEST_CASE("a second leader in one term is not followed") {
  Core core = make_follower();
  core.receive("c", {Generation{1}, Term{2},
                     AppendRequest{LogIndex{6}, Term{2}, LogIndex{6}, {command(2, 7)}}});
  CHECK_FALSE(core.has_output());
  CHECK(core.leader() == "b");
}

TEST_CASE("proposals are refused beyond the bound of uncommitted entries") {
  Options options;
  options.max_uncommitted_entries = 3;
  Core core = make_core(bootstrap("a"), options);
  core.persisted(core.take_output().token);
  CHECK(core.role() == Role::leader);
  int taken = 0;
  while (taken < 10 && core.propose("x")) ++taken;
  CHECK(taken == 1);
  drain(core);
  CHECK(core.propose("x").has_value());
}

TEST_CASE("what is handed out to apply is bounded and complete") {
  Options options;
  options.max_apply_bytes = 10;
  PersistentState state = bootstrap("a");
  for (std::uint64_t i = 2; i <= 9; ++i) state.entries.push_back(command(1, i, "123456"));
  Core core = make_core(state, options);
  std::uint64_t next = 1;
  for (const Output& output : drain(core)) {
    CHECK(output.committed.size() <= 3);
    for (const Entry& entry : output.committed) CHECK(entry.index.value == next++);
  }
  CHECK(next == 11);
}

TEST_CASE("a compacted log keeps its configuration and goes on") {
  Core core = make_core(bootstrap("a"));
  drain(core);
  core.propose("x").value();
  drain(core);
  Snapshot snapshot = core.make_snapshot(LogIndex{3}, "state");
  CHECK(snapshot.configuration.voters == std::vector<MemberId>{"a"});
  CHECK(snapshot.term == core.term());
  core.compact(snapshot);
  CHECK(core.snapshot_index() == LogIndex{3});
  core.compact(core.make_snapshot(LogIndex{3}, "again"));
  CHECK(core.propose("y").value() == LogIndex{4});
  CHECK(drain(core).back().committed.front().data == "y");
}

TEST_CASE("late and repeated persist tokens say nothing new") {
  Persistence persistence;
  persistence.start(LogIndex{2});
  PersistToken first = persistence.add(LogIndex{5}, false);
  persistence.truncate_from(LogIndex{4});
  PersistToken second = persistence.add(LogIndex{6}, true);
  CHECK(persistence.is_hard_state_pending());
  persistence.persisted(first);
  CHECK(persistence.durable() == LogIndex{3});
  persistence.persisted(first);
  CHECK(persistence.durable() == LogIndex{3});
  persistence.persisted(second);
  CHECK(persistence.durable() == LogIndex{6});
  CHECK_FALSE(persistence.is_hard_state_pending());
  persistence.truncate_from(LogIndex{5});
  persistence.persisted(second);
  CHECK(persistence.durable() == LogIndex{4});
}

TEST_CASE("two cores with one seed and one history say the same") {
  auto run = [] {
    Core core = make_core(founding_state(three));
    std::vector<std::vector<std::pair<MemberId, Message>>> said;
    for (int ms = 0; ms < 10000; ms += 50) {
      core.tick(Time{} + std::chrono::milliseconds(ms));
      for (Output& output : drain(core)) said.push_back(std::move(output.messages));
    }
    return said;
  };
  CHECK(run() == run());
  CHECK_FALSE(run().empty());
}
