#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/tcp_stream.h"

namespace warren::net {

/// What a listener's connections get from the system.
struct SocketOptions {
  int backlog = 128;
  bool no_delay = true;
  bool keep_alive = false;
  int send_buffer = 0;  ///< bytes; 0: the system's choice
  int receive_buffer = 0;
};

struct ListenOptions {
  /// A numeric address, or empty: all addresses, IPv6 and IPv4 by one socket where the system
  /// has both, else IPv4 only.
  std::string address;
  std::uint16_t port = 0;  ///< 0: any free port
  SocketOptions socket = {};
};

/// Accepts connections (SO_REUSEADDR). When the process is out of file descriptors it rests for
/// 100 ms and goes on.
class Listener {
 public:
  using OnAccept = std::function<void(std::unique_ptr<TcpStream>)>;

  /// The error of a port in use is `already_exists`; others are `io` or `invalid_argument`.
  static base::Result<std::unique_ptr<Listener>> open(Shard& shard, const ListenOptions& options,
                                                      OnAccept on_accept);
  /// Stops accepting; connections that were accepted stay.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const Endpoint& local() const;
  /// While false, those who connect wait in the system's queue.
  void set_accepting(bool accepting);

 private:
  class Impl;
  explicit Listener(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace warren::net
