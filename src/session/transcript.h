#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/permission.h"
#include "broker/router.h"
#include "session/connection.h"
#include "session/fake_gateway.h"

namespace warren::session {

/// For tests: a node with one fake gateway, and its connections by name. The current one is
/// where commands without a name go.
class Stage {
 public:
  /// With other back ends than the internal one, if there are any.
  explicit Stage(std::vector<broker::AuthLink> chain = {});

  FakeGateway& gateway() { return gateway_; }
  amqp091::Environment& environment() { return environment_; }
  amqp091::Connection& connection() { return *actors_.at(current_).connection; }
  base::Time now() const { return now_; }

  /// A connection that has said nothing yet; it becomes the current one.
  void arrive(const std::string& name, bool is_loopback = true);
  void arrive(const std::string& name, amqp091::PeerInfo peer);
  /// A connection after its handshake.
  void connect(const std::string& name, std::string_view client_properties = "",
               std::string_view user = "guest", std::string_view vhost = "/");
  void select(const std::string& name) { current_ = name; }
  void send(base::ByteView bytes) { connection().feed(bytes, now_); }
  void send_line(std::string_view line);

  /// Ends the turn of the loop; the lines that came out since, each with the connection's name
  /// before it when that is not the current one.
  std::vector<std::string> turn();
  /// Lets time pass, with ticks where connections ask for them.
  void wait(base::Duration time);
  /// Forgets finished connections; the names of all others.
  std::vector<std::string> survivors();

  /// Follows one line of a transcript.
  void follow(std::string_view line);

 private:
  struct Actor {
    std::unique_ptr<amqp091::Connection> connection;
    std::vector<std::string> heard;
    bool is_reset = false;
    bool is_reading = true;
  };

  bool follow_client(const std::string& word, std::string_view rest);
  bool follow_node(const std::string& word, std::string_view rest);
  void gather(const std::string& name, Actor& actor);

  FakeGateway gateway_;
  broker::Router router_;
  broker::Authorizer authorizer_;
  std::uint64_t last_random_ = 0;
  amqp091::Environment environment_;
  std::map<std::string, Actor> actors_;
  std::string current_;
  std::uint64_t last_id_ = 0;
  base::Time now_{};
};

/// Plays the transcript and compares what comes out with its lines that start with '<'. Each line
/// is a turn of its own but for ">+", which goes with the next. A line of "===" starts a new node.
/// With WARREN_REWRITE_TRANSCRIPTS=1 the file is written anew instead.
void play(const std::string& path);

}  // namespace warren::session
