#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "raft/test_script.h"

using namespace warren::raft;

namespace {

std::vector<std::filesystem::path> transcripts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator("."))
    if (file.path().extension() == ".txt" && file.path().filename() != "CMakeLists.txt")
      paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// A deliberate fault, the transcript that is there to notice it, and whether the transcript goes
/// on until the fault breaks a promise that the checker watches.
struct Fault {
  Mutation mutation;
  const char* transcript;
  bool breaks_promise;
};

constexpr Fault faults[] = {
    {Mutation::commit_old_term, "figure_8", true},
    {Mutation::count_unpersisted_on_leader, "unpersisted_at_leader", true},
    {Mutation::acknowledge_unpersisted, "unpersisted", true},
    {Mutation::skip_vote_persist, "vote_durable", true},
    {Mutation::vote_twice, "vote_once", true},
    {Mutation::vote_without_log_check, "vote_log_check", true},
    {Mutation::effective_on_commit, "change_takes_effect_on_append", false},
    {Mutation::keep_truncated_configuration, "configuration_rollback", false},
    {Mutation::change_before_current_term, "change_before_current_term", true},
    {Mutation::change_while_uncommitted, "change_while_uncommitted", false},
    {Mutation::late_persist_counts, "late_persist", false},
    {Mutation::snapshot_keeps_log, "snapshot_against_tail", false},
    {Mutation::restart_keeps_log, "snapshot_against_tail", false},
    {Mutation::learner_counts, "learner", true},
    {Mutation::count_removed_leader, "removed_leader", false},
    {Mutation::accept_lower_generation, "generation", false},
    {Mutation::keep_log_on_generation, "generation", false},
    {Mutation::commit_past_match, "commit_past_match", true},
    {Mutation::skip_pre_vote, "pre_vote", false},
    {Mutation::forget_leader, "leader_is_heard", false},
    {Mutation::skip_quorum_check, "quorum_check", false},
    {Mutation::any_death_counts, "proven_dead", false},
};

}  // namespace

// WARREN_REWRITE_TRANSCRIPTS=1 writes what happens into the transcripts; read the difference.
TEST_CASE("every transcript plays as written") {
  for (const auto& path : transcripts()) {
    CAPTURE(path);
    std::string expected = read(path);
    TestScript script(Mutation::none);
    std::string played = script.play(expected);
    if (std::getenv("WARREN_REWRITE_TRANSCRIPTS") != nullptr)
      std::ofstream(path) << played;
    else
      CHECK(played == expected);
    CHECK(script.cluster().checker().violations().empty());
  }
}

TEST_CASE("the transcripts notice every deliberate fault") {
  CHECK(std::size(faults) == static_cast<std::size_t>(Mutation::last_));
  for (const Fault& fault : faults) {
    CAPTURE(static_cast<int>(fault.mutation));
    CAPTURE(fault.transcript);
    std::string expected = read(std::string(fault.transcript) + ".txt");
    REQUIRE_FALSE(expected.empty());
    TestScript script(fault.mutation);
    CHECK(script.play(expected) != expected);
    if (fault.breaks_promise) CHECK_FALSE(script.cluster().checker().violations().empty());
  }
}
