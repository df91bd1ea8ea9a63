#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/diagnostics.h"

namespace warren::cli {

/// Does nothing for that long.
void pause_for(std::chrono::milliseconds time);

/// A socket that waits, with a deadline for each step.
class BlockingSocket {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Failure { unresolved, refused, timeout, closed, other };

  static std::expected<BlockingSocket, Failure> connect(const std::string& host,
                                                        std::uint16_t port,
                                                        Clock::time_point deadline);
  BlockingSocket(BlockingSocket&& other) noexcept;
  BlockingSocket& operator=(BlockingSocket&& other) noexcept;
  ~BlockingSocket();

  std::expected<void, Failure> send(base::ByteView bytes, Clock::time_point deadline);
  /// What has arrived, at least one byte; `closed` at the end of the stream.
  std::expected<base::Bytes, Failure> receive(Clock::time_point deadline);

 private:
  explicit BlockingSocket(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

/// Where a node is and how to be let in.
struct NodeTarget {
  std::string node;       ///< "rabbit1@vm"
  std::string dial_host;  ///< what to connect to for its host
  std::string own_name;
  std::string cookie;
  std::uint16_t epmd_port = 4369;
};

/// An authenticated connection to a node's control endpoint. It waits for what it asks; meant for
/// commands, never for the server.
class ControlClient {
 public:
  using Clock = BlockingSocket::Clock;

  static std::expected<ControlClient, ConnectFailure> connect(const NodeTarget& target,
                                                              Clock::time_point deadline);

  /// Sends one JSON request and waits for its reply. Errors: timeout; unavailable when the node
  /// has closed the connection.
  base::Result<std::string> request(std::string_view json, Clock::time_point deadline);
  /// Waits until the node closes the connection; false at the deadline.
  bool await_close(Clock::time_point deadline);

 private:
  ControlClient(BlockingSocket socket, base::Bytes rest)
      : socket_(std::move(socket)), input_(std::move(rest)) {}

  BlockingSocket socket_;
  base::Bytes input_;
};

}  // namespace warren::cli
