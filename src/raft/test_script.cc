#include "raft/test_script.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace warren::raft {

namespace {

Options script_options(Mutation mutation) {
  Options options;
  options.max_append_entries = 1;
  options.snapshot_retry = std::chrono::milliseconds(2000);
  options.mutation = mutation;
  return options;
}

std::uint64_t number(const std::string& word) {
  return std::stoull(word);
}

/// "voters a b learners c", the first word being left out where voters are meant anyway.
Configuration read_configuration(const std::vector<std::string>& words, std::size_t first) {
  Configuration configuration;
  auto* list = &configuration.voters;
  for (std::size_t i = first; i < words.size(); ++i) {
    if (words[i] == "learners")
      list = &configuration.learners;
    else if (words[i] != "voters")
      list->push_back(words[i]);
  }
  return configuration;
}

std::string describe(const Configuration& configuration) {
  std::string text = fmt::format("voters {}", fmt::join(configuration.voters, " "));
  if (!configuration.learners.empty())
    text += fmt::format(" learners {}", fmt::join(configuration.learners, " "));
  return text;
}

std::string describe(const Entry& entry) {
  std::string content = entry.data;
  if (entry.kind == EntryKind::noop) content = "noop";
  if (entry.kind == EntryKind::configuration) content = "configuration";
  return fmt::format("{}/{}:{}", entry.index.value, entry.term.value, content);
}

struct Describe {
  std::string operator()(const PreVoteRequest& b) const {
    return fmt::format("may I? last {}/{}{}", b.last_index.value, b.last_term.value,
                       b.dead_leader.empty() ? "" : " dead " + b.dead_leader);
  }
  std::string operator()(const PreVoteResponse& b) const {
    return b.granted ? "you may" : "you may not";
  }
  std::string operator()(const VoteRequest& b) const {
    return fmt::format("vote? last {}/{}{}{}", b.last_index.value, b.last_term.value,
                       b.transfer ? " transfer" : "",
                       b.dead_leader.empty() ? "" : " dead " + b.dead_leader);
  }
  std::string operator()(const VoteResponse& b) const { return b.granted ? "granted" : "refused"; }
  std::string operator()(const AppendRequest& b) const {
    std::string text = fmt::format("append after {}/{} commit {}", b.previous_index.value,
                                   b.previous_term.value, b.commit.value);
    for (const Entry& entry : b.entries) text += " " + describe(entry);
    return text;
  }
  std::string operator()(const AppendResponse& b) const {
    if (b.accepted) return fmt::format("matched {} durable {}", b.matched.value, b.durable.value);
    return fmt::format("rejected {} hint {}/{}", b.previous_index.value, b.hint_index.value,
                       b.hint_term.value);
  }
  std::string operator()(const SnapshotRequest& b) const {
    return fmt::format("snapshot {}/{}", b.snapshot.index.value, b.snapshot.term.value);
  }
  std::string operator()(const TimeoutNow&) const { return "take over"; }
};

}  // namespace

TestScript::TestScript(Mutation mutation) : cluster_(script_options(mutation), 1) {}

std::string TestScript::play(const std::string& text) {
  std::string played;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('>')) continue;
    played += line + "\n";
    if (line.empty() || line.starts_with('#')) continue;
    std::istringstream parts(line);
    Words words;
    for (std::string word; parts >> word;) words.push_back(word);
    run(words);
    for (const std::string& result : std::exchange(results_, {})) played += "> " + result + "\n";
  }
  return played;
}

void TestScript::run(const Words& words) {
  if (!run_setup(words) && !run_network(words) && !run_request(words) && !run_message(words))
    say("what is " + words[0] + "?");
  lose_cut_messages();
  say_events();
}

void TestScript::say_events() {
  TestChecker::Cores cores;
  for (const MemberId& member : cluster_.members())
    if (cluster_.is_up(member)) cores[member] = &cluster_.core(member);
  cluster_.checker().compare_logs(cores);
  for (std::string& event : cluster_.take_events()) say(std::move(event));
  const auto& violations = cluster_.checker().violations();
  for (; violations_said_ < violations.size(); ++violations_said_)
    say("VIOLATION: " + violations[violations_said_]);
}

bool TestScript::run_setup(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "cluster") {
    Configuration configuration = read_configuration(words, 1);
    for (const auto* members : {&configuration.voters, &configuration.learners})
      for (const MemberId& member : *members) cluster_.add(member, founding_state(configuration));
    cluster_.take_events();
  } else if (verb == "empty") {
    cluster_.add(words[1], {});
    cluster_.take_events();
  } else if (verb == "disk") {
    cluster_.set_slow_disk(words[1], words[2] == "slow");
  } else if (verb == "persist") {
    cluster_.persist(words[1], words.size() > 2 ? number(words[2]) : SIZE_MAX);
  } else if (verb == "crash") {
    Torn torn = Torn::nothing;
    if (words.size() > 2) torn = Torn::snapshot_beside_old_log;
    cluster_.crash(words[1], torn);
  } else if (verb == "restart") {
    cluster_.restart(words[1]);
  } else if (verb == "show") {
    for (std::size_t i = 1; i < words.size(); ++i) show(words[i]);
  } else {
    return false;
  }
  return true;
}

bool TestScript::run_network(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "settle") {
    settle();
  } else if (verb == "wait") {
    wait(static_cast<unsigned>(number(words[1])));
  } else if (verb == "pass") {
    cluster_.tick(words[1], std::chrono::milliseconds(number(words[2])));
  } else if (verb == "deliver") {
    deliver(words[1], words[2], words.size() > 3 ? number(words[3]) : SIZE_MAX);
  } else if (verb == "drop") {
    std::erase_if(cluster_.flights(), [&](const TestCluster::Flight& flight) {
      return flight.from == words[1] && flight.to == words[2];
    });
  } else if (verb == "hold") {
    held_.insert({words[1], words[2]});
  } else if (verb == "release") {
    held_.erase({words[1], words[2]});
  } else if (verb == "cut") {
    for (const MemberId& other : cluster_.members()) {
      if (words.size() > 2 && other != words[2]) continue;
      cut_.insert({words[1], other});
      cut_.insert({other, words[1]});
    }
  } else if (verb == "heal") {
    std::erase_if(cut_, [&](const auto& link) {
      return words.size() < 2 || link.first == words[1] || link.second == words[1];
    });
  } else if (verb == "flights") {
    for (const TestCluster::Flight& flight : cluster_.flights())
      say(fmt::format("{} -> {} in term {}: {}", flight.from, flight.to, flight.message.term.value,
                      std::visit(Describe(), flight.message.body)));
  } else {
    return false;
  }
  return true;
}

bool TestScript::run_request(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "propose") {
    auto index = cluster_.core(words[1]).propose(words[2]);
    if (!index) say("refused: " + index.error().text);
    cluster_.collect(words[1]);
  } else if (verb == "change") {
    change(words);
  } else if (verb == "force") {
    cluster_.core(words[1]).force_configuration(read_configuration(words, 2));
    cluster_.collect(words[1]);
  } else if (verb == "generation") {
    cluster_.adopt_new_generation(words[1]);
  } else if (verb == "transfer") {
    cluster_.core(words[1]).transfer_leadership(words[2]);
    cluster_.collect(words[1]);
  } else if (verb == "reach") {
    cluster_.core(words[1]).peer_reachable(words[2]);
    cluster_.collect(words[1]);
  } else if (verb == "dead") {
    cluster_.core(words[1]).peer_dead(words[2]);
    cluster_.collect(words[1]);
  } else if (verb == "compact") {
    cluster_.compact(words[1], LogIndex{number(words[2])});
  } else {
    return false;
  }
  return true;
}

void TestScript::change(const Words& words) {
  auto result = cluster_.core(words[1]).propose_configuration(read_configuration(words, 2));
  if (!result) say("refused: " + result.error().text);
  cluster_.collect(words[1]);
}

bool TestScript::run_message(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "elect") {
    Core& core = cluster_.core(words[1]);
    give("", words[1], {core.generation(), core.term(), TimeoutNow{}});
  } else if (verb == "vote") {
    give(words[1], words[2],
         {Generation{number(words[3])}, Term{number(words[4])},
          VoteRequest{LogIndex{number(words[5])}, Term{number(words[6])}, words.size() > 7, {}}});
  } else if (verb == "granted") {
    give(words[1], words[2],
         {Generation{number(words[3])}, Term{number(words[4])}, VoteResponse{true}});
  } else if (verb == "append") {
    AppendRequest request{LogIndex{number(words[5])}, Term{number(words[6])},
                          LogIndex{number(words[7])}};
    for (std::size_t i = 8; i < words.size(); ++i) {
      std::size_t colon = words[i].find(':');
      request.entries.push_back({Term{number(words[i].substr(0, colon))},
                                 LogIndex{request.previous_index.value + i - 7}, EntryKind::command,
                                 words[i].substr(colon + 1)});
    }
    give(words[1], words[2],
         {Generation{number(words[3])}, Term{number(words[4])}, std::move(request)});
  } else {
    return false;
  }
  return true;
}

void TestScript::give(const MemberId& from, const MemberId& to, Message message) {
  cluster_.core(to).receive(from, std::move(message));
  cluster_.collect(to);
}

void TestScript::lose_cut_messages() {
  std::erase_if(cluster_.flights(), [&](const TestCluster::Flight& flight) {
    return cut_.contains({flight.from, flight.to});
  });
}

void TestScript::deliver(const MemberId& from, const MemberId& to, std::size_t count) {
  for (std::size_t i = 0; i < cluster_.flights().size() && count > 0;) {
    const TestCluster::Flight& flight = cluster_.flights()[i];
    if (flight.from != from || flight.to != to) {
      ++i;
      continue;
    }
    cluster_.deliver(i);
    --count;
  }
}

void TestScript::settle() {
  // A bound, so that a broken core that talks without end ends the test all the same.
  for (int left = 10000; left > 0; --left) {
    lose_cut_messages();
    const auto& flights = cluster_.flights();
    auto next = std::find_if(flights.begin(), flights.end(), [&](const auto& flight) {
      return !held_.contains({flight.from, flight.to});
    });
    if (next == flights.end()) return;
    cluster_.deliver(static_cast<std::size_t>(next - flights.begin()));
  }
  say("the members talk without end");
}

void TestScript::wait(unsigned ms) {
  for (unsigned passed = 0; passed < ms; passed += 100) {
    for (const MemberId& member : cluster_.members()) {
      cluster_.tick(member, std::chrono::milliseconds(100));
      settle();
    }
  }
}

void TestScript::show(const MemberId& member) {
  if (!cluster_.is_up(member)) {
    say(member + " is down");
    return;
  }
  Core& core = cluster_.core(member);
  std::string text = fmt::format(
      "{}: {} term {} leader {} commit {} applied {} durable {} {}", member, role_name(core.role()),
      core.term().value, core.leader().value_or("unknown"), core.commit_index().value,
      core.applied_index().value, core.durable_index().value, describe(core.configuration()));
  if (core.generation() != Generation{1})
    text += fmt::format(" generation {}", core.generation().value);
  say(text);
  text = "  log";
  if (core.snapshot_index()) text += fmt::format(" [to {}]", core.snapshot_index().value);
  const Log& log = core.log();
  for (LogIndex i = log.base_index().next(); i <= log.last_index(); i = i.next())
    text += " " + describe(log.at(i));
  say(text);
}

}  // namespace warren::raft
