#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "raft/core.h"

namespace warren::raft {

/// Watches a whole cluster for the properties that consensus promises, over its whole life. What
/// it finds it writes down in words; an empty list is a pass. For tests.
class TestChecker {
 public:
  using Cores = std::map<MemberId, const Core*>;

  /// Call after every event with the cores that run. Checks that a term has one leader, that
  /// committed entries stay what they were, and that leaders have them.
  void observe(const Cores& cores);
  /// Any two logs that agree on a place agree on everything before it.
  void compare_logs(const Cores& cores);
  /// A state machine has `state` after `index`.
  void applied(const MemberId& member, Generation generation, LogIndex index, std::uint64_t state);
  /// `member` left its generation for the next: what it applied is what counts there.
  void adopted(Generation next, LogIndex applied);
  void report(std::string violation);

  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Committed {
    Term entry_term;
    Term seen_in;  ///< the lowest term in which a member knew it to be committed
  };
  struct Era {
    std::map<Term, MemberId> leaders;
    std::map<LogIndex, Committed> committed;
    std::map<LogIndex, std::uint64_t> states;
  };

  void observe_leader(const MemberId& member, const Core& core);
  void observe_commit(const MemberId& member, const Core& core);

  std::map<Generation, Era> eras_;
  std::vector<std::string> violations_;
};

}  // namespace warren::raft
