#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "codec/epmd.h"
#include "net/dial.h"
#include "net/timer.h"

namespace warren::server {

/// Keeps a node's name registered with the name service of this machine: when none answers it
/// starts one (`start_service`), and when the connection is lost it registers again, after
/// 100 ms at first and up to 5 s.
class EpmdRegistration {
 public:
  struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = codec::epmd::default_port;
    codec::epmd::NodeInfo node;
    std::function<void()> start_service;
  };
  /// Told once, when the name is registered for the first time or is found to be taken for two
  /// seconds (already_exists).
  using FirstResult = std::function<void(base::Result<>)>;

  EpmdRegistration(net::Shard& shard, Options options, FirstResult done);
  ~EpmdRegistration();

 private:
  class Session;
  void attempt();
  void retry(bool is_refused);
  void on_registered();
  void on_taken();
  void on_lost();

  net::Shard& shard_;
  Options options_;
  FirstResult done_;
  net::Timer retry_timer_;
  base::Time started_;
  base::Duration delay_;
  int starts_ = 0;
  std::unique_ptr<net::Dial> dial_;
  std::unique_ptr<Session> session_;
};

enum class EpmdFailure {
  refused,      ///< the host answers, but runs no name service
  unresolved,   ///< there is no such host
  unreachable,  ///< no answer, or no proper one
};

/// A question for a node's port, under way for as long as this lives.
class EpmdLookup {
 public:
  /// Empty: the service answered that it does not know the name.
  using Answer = std::expected<std::optional<std::uint16_t>, EpmdFailure>;
  using Done = std::function<void(Answer)>;

  /// `name` is without the host. `done` is called once, never from inside this call; it may
  /// destroy the lookup.
  EpmdLookup(net::Shard& shard, std::string host, std::uint16_t port, std::string name,
             base::Time deadline, Done done);
  ~EpmdLookup();
  EpmdLookup(const EpmdLookup&) = delete;
  EpmdLookup& operator=(const EpmdLookup&) = delete;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace warren::server
