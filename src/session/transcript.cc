#include "session/transcript.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "broker/password.h"
#include "session/wire_text.h"

namespace warren::session {

using amqp091::Connection;
using codec::amqp091::protocol_header;

namespace {

std::string take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  std::string word(line.substr(0, end));
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::string octets_of(std::string_view words, int base) {
  std::string octets;
  while (!words.empty())
    octets.push_back(static_cast<char>(std::stoi(take_word(words), nullptr, base)));
  return octets;
}

double seconds_of(base::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Stage::Stage(std::vector<broker::AuthLink> chain)
    : router_(gateway_.catalog()),
      authorizer_(chain.empty() ? broker::Authorizer(gateway_.catalog())
                                : broker::Authorizer(gateway_.catalog(), std::move(chain))),
      environment_{gateway_, router_, authorizer_, [this](std::size_t size) {
                     std::string bytes(size, '\0');
                     bytes.back() = static_cast<char>(++last_random_);
                     return bytes;
                   }} {
  const std::set<std::string, std::less<>> plugins{"rabbitmq_delayed_message_exchange"};
  environment_.exchange_types = broker::ExchangeTypes(plugins);
}

void Stage::arrive(const std::string& name, bool is_loopback) {
  arrive(name, amqp091::PeerInfo{is_loopback ? "127.0.0.1" : "10.0.0.1", 40000, "127.0.0.1", 5672,
                                 is_loopback, nullptr});
}

void Stage::arrive(const std::string& name, amqp091::PeerInfo peer) {
  Actor actor;
  actor.connection = std::make_unique<Connection>(environment_, std::move(peer),
                                                  catalog::ConnectionId{++last_id_}, now_);
  actors_[name] = std::move(actor);
  current_ = name;
}

void Stage::connect(const std::string& name, std::string_view client_properties,
                    std::string_view user, std::string_view vhost) {
  arrive(name);
  send(protocol_header);
  send_line(
      fmt::format("0 connection.start-ok client_properties={{{}}} mechanism=PLAIN "
                  "response=\"\\0{}\\0{}\" locale=en_US",
                  client_properties, user, user));
  send_line("0 connection.tune-ok channel_max=2047 frame_max=131072 heartbeat=60");
  send_line(fmt::format("0 connection.open virtual_host={}", vhost));
  const std::vector<std::string> lines = turn();
  REQUIRE(lines.size() == 3);
  REQUIRE(lines.back() == "0 connection.open-ok");
}

void Stage::send_line(std::string_view line) {
  send(frame_of(line));
}

void Stage::gather(const std::string& name, Actor& actor) {
  Connection& connection = *actor.connection;
  const std::string prefix = name == current_ ? "" : "@" + name + " ";
  for (std::string& line : lines_of(connection.output().take_flat()))
    actor.heard.push_back(prefix + std::move(line));
  connection.on_output_drained(0);
  if (connection.wants_close() == Connection::CloseStyle::reset && !actor.is_reset) {
    actor.is_reset = true;
    actor.heard.push_back(prefix + "RESET");
  }
  if (connection.wants_input() != actor.is_reading && !actor.is_reset) {
    actor.is_reading = !actor.is_reading;
    actor.heard.push_back(prefix + (actor.is_reading ? "READING" : "NOT READING"));
  }
}

std::vector<std::string> Stage::turn() {
  for (int round = 0; round < 3; ++round) {
    gateway_.run();
    for (auto& [name, actor] : actors_) {
      actor.connection->flush_turn();
      gather(name, actor);
    }
  }
  std::vector<std::string> lines;
  for (auto& [name, actor] : actors_) {
    for (std::string& line : actor.heard) lines.push_back(std::move(line));
    actor.heard.clear();
  }
  return lines;
}

void Stage::wait(base::Duration time) {
  const base::Time end = now_ + time;
  for (;;) {
    base::Time next = end;
    for (auto& [name, actor] : actors_) next = std::min(next, actor.connection->deadline());
    now_ = std::max(now_, next);
    for (auto& [name, actor] : actors_) {
      const std::size_t before = actor.heard.size();
      actor.connection->tick(now_);
      actor.connection->flush_turn();
      gather(name, actor);
      for (std::size_t i = before; i < actor.heard.size(); ++i)
        actor.heard[i] = fmt::format("{:.1f}s {}", seconds_of(now_ - (end - time)), actor.heard[i]);
    }
    if (now_ >= end) return;
  }
}

std::vector<std::string> Stage::survivors() {
  gateway_.run();
  std::vector<std::string> names;
  std::erase_if(actors_, [](const auto& entry) { return entry.second.connection->is_finished(); });
  for (const auto& [name, actor] : actors_) names.push_back(name);
  return names;
}

void Stage::follow(std::string_view line) {
  std::string_view rest = line;
  const std::string word = take_word(rest);
  const bool is_known = follow_client(word, rest) || follow_node(word, rest);
  REQUIRE_MESSAGE(is_known, "unknown line: " << line);
}

/// What a client does.
bool Stage::follow_client(const std::string& word, std::string_view rest) {
  if (word == ">" || word == ">+") {
    send_line(rest);
  } else if (word == "connect") {
    const std::string name = take_word(rest);
    connect(name, rest);
  } else if (word == "login") {
    const std::string name = take_word(rest);
    connect(name, "", rest);
  } else if (word == "arrive") {
    const std::string name = take_word(rest);
    arrive(name, rest != "remote");
  } else if (word == "greet") {
    const std::string name = take_word(rest);
    arrive(name, rest != "remote");
    send(protocol_header);
    REQUIRE(turn().size() == 1);
  } else if (word == "reopen") {
    send_line(fmt::format("{} channel.close-ok", rest));
    send_line(fmt::format("{} channel.open", rest));
    REQUIRE(turn() == std::vector{fmt::format("{} channel.open-ok", rest)});
  } else if (word == "header") {
    send("AMQP" + octets_of(rest, 10));
  } else if (word == "hex") {
    send(octets_of(rest, 16));
  } else if (word == "text") {
    send(rest);
  } else if (word == "big") {
    const std::string channel = take_word(rest);
    const std::string key = take_word(rest);
    const std::string body(std::stoul(std::string(rest)), 'x');
    send(publish_frames(fmt::format("{} \"\" {} {}", channel, key, body)));
  } else if (word == "on") {
    select(std::string(rest));
  } else if (word == "hangup") {
    connection().on_peer_closed(now_);
  } else {
    return false;
  }
  return true;
}

/// What happens to the node.
bool Stage::follow_node(const std::string& word, std::string_view rest) {
  if (word == "wait") {
    wait(std::chrono::milliseconds(static_cast<int>(std::stod(std::string(rest)) * 1000)));
  } else if (word == "survivors") {
    for (const std::string& name : survivors()) actors_[name].heard.push_back(name + " is there");
  } else if (word == "limit") {
    environment_.limits.max_message_size = std::stoull(std::string(rest));
  } else if (word == "shutdown") {
    connection().shutdown(rest, now_);
  } else if (word == "alarm") {
    environment_.alarm_reason = rest;
    connection().block();
  } else if (word == "calm") {
    connection().unblock();
  } else if (word == "hold" || word == "release") {
    gateway_.hold(word == "hold");
  } else if (word == "trace" || word == "untrace") {
    environment_.firehose.trace("/", word == "trace");
  } else if (word == "congest" || word == "uncongest") {
    gateway_.congest(word == "congest");
  } else if (word == "reject" || word == "accept") {
    gateway_.reject(word == "reject");
  } else if (word == "fail") {
    gateway_.fail_next({base::ErrorCode::unavailable, std::string(rest)});
  } else if (word == "user") {
    catalog::User user;
    user.name = take_word(rest);
    user.password_hash = broker::make_password_hash(user.name, "salt").value();
    while (!rest.empty()) user.tags.push_back(take_word(rest));
    REQUIRE(gateway_.apply(catalog::AddUser{user}));
  } else if (word == "permit") {
    const std::string user = take_word(rest);
    const std::string configure = take_word(rest);
    const std::string write = take_word(rest);
    REQUIRE(
        gateway_.apply(catalog::SetPermission{{user, "/", configure, write, std::string(rest)}}));
  } else {
    return false;
  }
  return true;
}

void play(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file, "can't read " << path);
  std::stringstream content;
  content << file.rdbuf();
  std::istringstream lines(content.str());
  auto stage = std::make_unique<Stage>();
  std::string played;
  bool is_due = false;
  const auto end_turn = [&] {
    if (!is_due) return;
    for (const std::string& heard : stage->turn()) played += "< " + heard + "\n";
    is_due = false;
  };
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("<")) continue;
    if (line.starts_with("===")) {
      stage = std::make_unique<Stage>();
    } else if (!line.empty() && !line.starts_with("#")) {
      stage->follow(line);
      is_due = true;
    }
    played += line + "\n";
    if (!line.starts_with(">+")) end_turn();
  }
  end_turn();
  if (played == content.str()) return;
  if (std::getenv("WARREN_REWRITE_TRANSCRIPTS") != nullptr) {
    std::ofstream(path) << played;
    return;
  }
  std::istringstream expected(content.str()), actual(played);
  std::string wanted, got;
  int number = 0;
  do {
    ++number;
    std::getline(expected, wanted);
    std::getline(actual, got);
  } while (wanted == got && expected && actual);
  FAIL_CHECK(path << ":" << number << "\nexpected: " << wanted << "\nactual:   " << got);
}

}  // namespace warren::session
