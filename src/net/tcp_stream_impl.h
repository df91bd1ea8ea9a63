#pragma once

#include <deque>

#include "net/shard_impl.h"
#include "net/tcp_stream.h"

namespace warren::net {

Endpoint endpoint_of(const tcp::endpoint& endpoint);

/// The connection behind a TcpStream; it outlives it for as long as a wait or output is under way.
class TcpStream::Impl final : public TurnTask, public std::enable_shared_from_this<Impl> {
 public:
  /// Takes an established connection.
  Impl(Shard& shard, tcp::socket socket);

  void start(StreamEvents& events);
  void send(base::Bytes bytes);
  void flush();
  void set_reading(bool reading);
  void close(bool with_reset);
  void reset();

  void on_turn_end() override;

  bool is_open() const { return state_ == State::open; }

  Endpoint local, remote;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::size_t pending = 0;

 private:
  enum class State { open, closing, closed };

  void request_turn_end();
  void wait_readable();
  void on_readable();
  void write();
  void wait_writable();
  void take_written(std::size_t bytes);
  void finish_closing();
  void fail(const std::string& reason);
  void close_socket(bool with_reset);

  Shard::Impl& shard_;
  tcp::socket socket_;
  asio::steady_timer close_timer_;
  StreamEvents* events_ = nullptr;
  State state_ = State::open;
  bool reset_at_end_ = false;
  bool reading_ = true;
  bool has_read_wait_ = false;
  bool has_write_wait_ = false;
  bool has_turn_end_ = false;
  bool was_blocked_ = false;
  bool is_flushing_ = false;
  std::deque<base::Bytes> output_;
  std::size_t written_of_first_ = 0;
};

}  // namespace warren::net
