#include "raft/test_checker.h"

#include <fmt/format.h>

#include <algorithm>

namespace warren::raft {

void TestChecker::report(std::string violation) {
  if (violations_.size() < 20 &&
      std::find(violations_.begin(), violations_.end(), violation) == violations_.end())
    violations_.push_back(std::move(violation));
}

void TestChecker::observe(const Cores& cores) {
  for (const auto& [member, core] : cores) observe_commit(member, *core);
  for (const auto& [member, core] : cores)
    if (core->role() == Role::leader) observe_leader(member, *core);
}

void TestChecker::observe_commit(const MemberId& member, const Core& core) {
  Era& era = eras_[core.generation()];
  for (LogIndex index = core.commit_index(); index > core.log().base_index(); index.value -= 1) {
    auto term = core.log().term_at(index);
    if (!term) {
      report(fmt::format("{} has committed {} beyond its log", member, index.value));
      continue;
    }
    auto [found, is_new] = era.committed.try_emplace(index, Committed{*term, core.term()});
    if (found->second.entry_term != *term)
      report(fmt::format("committed entry {} was replaced at {}", index.value, member));
    if (!is_new && found->second.seen_in <= core.term()) break;
    found->second.seen_in = std::min(found->second.seen_in, core.term());
  }
}

void TestChecker::observe_leader(const MemberId& member, const Core& core) {
  Era& era = eras_[core.generation()];
  auto [found, is_new] = era.leaders.try_emplace(core.term(), member);
  if (found->second != member) report(fmt::format("term {} has two leaders", core.term().value));
  for (auto item = era.committed.upper_bound(core.log().base_index()); item != era.committed.end();
       ++item)
    if (item->second.seen_in < core.term() &&
        core.log().term_at(item->first) != item->second.entry_term)
      report(fmt::format("leader {} of term {} lacks committed entry {}", member, core.term().value,
                         item->first.value));
}

void TestChecker::compare_logs(const Cores& cores) {
  for (const auto& [first_member, first] : cores) {
    for (const auto& [second_member, second] : cores) {
      if (first_member >= second_member || first->generation() != second->generation()) continue;
      const Log& a = first->log();
      const Log& b = second->log();
      bool must_agree = false;
      LogIndex low = std::max(a.base_index(), b.base_index());
      for (LogIndex index = std::min(a.last_index(), b.last_index()); index > low;
           index.value -= 1) {
        must_agree = must_agree || a.at(index).term == b.at(index).term;
        if (must_agree && a.at(index) != b.at(index))
          report(fmt::format("the logs of {} and {} differ at {} and agree after it", first_member,
                             second_member, index.value));
      }
    }
  }
}

void TestChecker::applied(const MemberId& member, Generation generation, LogIndex index,
                          std::uint64_t state) {
  auto [found, is_new] = eras_[generation].states.try_emplace(index, state);
  if (found->second != state)
    report(fmt::format("{} applied something else at {}", member, index.value));
}

void TestChecker::adopted(Generation next, LogIndex applied) {
  Era& old_era = eras_[Generation{next.value - 1}];
  Era& era = eras_[next];
  era.states.insert(old_era.states.begin(), old_era.states.upper_bound(applied));
}

}  // namespace warren::raft
