#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "net/handshake.h"
#include "net/tcp_stream.h"
#include "net/timer.h"

namespace warren::server {

/// A connection whose two ends have proven to each other that they know the cookie.
struct Acquaintance {
  std::unique_ptr<net::TcpStream> stream;
  net::PeerRole role = net::PeerRole::cli;
  std::string peer;  ///< the name that the peer gave
  base::Bytes rest;  ///< what it sent after the handshake
};

/// Carries a handshake over a connection, for at most five seconds.
class HandshakeRun final : public net::StreamEvents {
 public:
  /// Says whether a genuine caller may come in; for responders.
  using Decide =
      std::function<std::pair<net::Admission, std::string>(net::PeerRole, const std::string&)>;
  using Done = std::function<void(base::Result<Acquaintance>)>;

  /// `done` is called once, never from inside this call; it may destroy the run. The error is the
  /// handshake's, or `unavailable` when the connection broke, or `timeout`.
  HandshakeRun(net::Shard& shard, std::unique_ptr<net::TcpStream> stream, net::Handshake handshake,
               Decide decide, Done done);

 private:
  void on_bytes(base::ByteView bytes) override;
  void on_closed(const std::string& reason) override;
  void finish(base::Result<Acquaintance> result);

  std::unique_ptr<net::TcpStream> stream_;
  net::Handshake handshake_;
  Decide decide_;
  Done done_;
  net::Timer timer_;
};

}  // namespace warren::server
