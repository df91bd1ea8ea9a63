#pragma once

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "raft/test_cluster.h"

namespace warren::raft {

/// Plays a transcript: lines of commands to a TestCluster, each followed by what happened. Lines
/// that begin with '#' tell the story; lines that begin with '>' are results. Election timeout
/// 1000 ms, heartbeat 200 ms, one entry a message. Commands:
///
///   cluster a b c [learners d]     members that know each other from entry 1 on
///   empty d                        a member that waits to be added
///   disk a slow|works              whether outputs wait for `persist`
///   persist a [count]              makes waiting outputs durable
///   elect a                        a holds an election without asking first
///   pass a ms                      a's clock moves, nobody else's
///   wait ms                        all clocks move, a heartbeat at a time, and all is settled
///   settle                         delivers all messages until none is left
///   deliver a b [count]            delivers messages from a to b, `held` ones too
///   drop a b                       loses the messages on their way from a to b
///   hold a b, release a b          messages from a to b wait for `deliver`, or not
///   cut a [b], heal [a]            loses all messages of a (to and from b), or none
///   propose a text
///   change a voters ... [learners ...]
///   force a voters ...             force_configuration
///   generation a                   adopt_new_generation
///   reach a b                      a learns that its link to b came up
///   dead a b                       a learns that b is proven dead
///   transfer a b, compact a index, crash a [torn], restart a
///   vote from to generation term last_index last_term [transfer]
///   granted from to generation term
///   append from to generation term previous_index previous_term commit term:text...
///   show a...                      state and log, as index/term:content
///   flights                        the messages on their way
class TestScript {
 public:
  explicit TestScript(Mutation mutation);

  /// The whole text with the results that this run gives in place of those in it.
  std::string play(const std::string& text);
  TestCluster& cluster() { return cluster_; }

 private:
  using Words = std::vector<std::string>;

  void run(const Words& words);
  bool run_setup(const Words& words);
  bool run_network(const Words& words);
  bool run_request(const Words& words);
  bool run_message(const Words& words);
  void settle();
  void wait(unsigned ms);
  void change(const Words& words);
  void show(const MemberId& member);
  void deliver(const MemberId& from, const MemberId& to, std::size_t count);
  void lose_cut_messages();
  void give(const MemberId& from, const MemberId& to, Message message);
  void say(std::string line) { results_.push_back(std::move(line)); }
  void say_events();

  TestCluster cluster_;
  std::set<std::pair<MemberId, MemberId>> held_;
  std::set<std::pair<MemberId, MemberId>> cut_;
  std::vector<std::string> results_;
  std::size_t violations_said_ = 0;
};

}  // namespace warren::raft
