#pragma once

#include <vector>

#include "net/shard_impl.h"
#include "net/tcp_stream.h"

namespace warren::net {

Endpoint endpoint_of(const tcp::endpoint& endpoint);

/// The connection behind a TcpStream; it outlives it for as long as a wait or output is under way.
class TcpStream::Impl final : public TurnTask, public std::enable_shared_from_this<Impl> {
 public:
  /// Takes an established connection.
  Impl(Shard& shard, Socket socket);

  void start(StreamEvents& events);
  void secure(std::shared_ptr<const TlsContext> context);
  void give_back(base::ByteView bytes);
  void delay();
  void send(base::Bytes bytes);
  void send_now(base::OutputBuffer& output);
  void set_reading(bool reading);
  void close(bool with_reset);
  void reset();

  void on_turn_end() override;

  bool is_open() const { return state_ == State::open; }

  Endpoint local, remote;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::size_t pending = 0;
  std::unique_ptr<Tls> tls;  ///< null: plain

 private:
  enum class State { open, closing, closed };

  void request_turn_end();
  void wait_readable();
  void read_next_turn();
  void on_readable();
  bool read(std::span<char> room);
  void deliver(base::ByteView bytes);
  void decrypt(base::ByteView bytes);
  void encrypt(base::OutputBuffer& output);
  void enqueue_encrypted();
  enum class Written { all, some, failed };

  void write();
  Written write_from(base::OutputBuffer& output, std::size_t& written);
  void enqueue(base::OutputBuffer& output);
  void wait_writable();
  void start_close_timer();
  void finish_closing();
  void discard_input();
  void fail(const std::string& reason);
  void close_socket(bool with_reset);

  Shard::Impl& shard_;
  Socket socket_;
  std::unique_ptr<asio::steady_timer> close_timer_;  ///< made when it closes
  StreamEvents* events_ = nullptr;
  State state_ = State::open;
  bool reset_at_end_ = false;
  bool is_lingering_ = false;  ///< closing, and all was sent
  bool reading_ = true;
  bool has_read_wait_ = false;
  bool has_more_ = false;  ///< the last read took all that the buffer holds
  bool has_write_wait_ = false;
  bool has_turn_end_ = false;
  bool was_blocked_ = false;
  base::Bytes given_back_;
  std::size_t unread_replies_ = 0;  ///< of TLS to a peer that has not read all yet
  std::vector<base::OutputBuffer> output_;  ///< small ones are joined, so they are few
  std::size_t written_of_first_ = 0;
};

}  // namespace warren::net
