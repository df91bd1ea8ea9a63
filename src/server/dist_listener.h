#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "net/listener.h"
#include "server/handshake_run.h"

namespace warren::server {

/// The node's port for other nodes and for commands. It shakes hands with who connects and hands
/// on those who know the cookie. At most `max_strangers` others at a time, for five seconds each.
class DistListener {
 public:
  static constexpr std::size_t max_strangers = 128;

  struct Options {
    net::ListenOptions listen;
    std::string own_name;
    std::string cookie;
    HandshakeRun::Decide decide;
    std::function<void(Acquaintance)> on_acquaintance;
  };

  static base::Result<std::unique_ptr<DistListener>> open(net::Shard& shard, Options options);
  const net::Endpoint& local() const { return listener_->local(); }

 private:
  DistListener(net::Shard& shard, Options options) : shard_(shard), options_(std::move(options)) {}
  void greet(std::unique_ptr<net::TcpStream> stream);

  net::Shard& shard_;
  Options options_;
  std::unique_ptr<net::Listener> listener_;
  std::unique_ptr<net::Listener> loopback_listener_;  ///< when the other has one address only
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::unique_ptr<HandshakeRun>> strangers_;
};

}  // namespace warren::server
