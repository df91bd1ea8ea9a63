#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "codec/amqp091_method.h"
#include "perf/socket.h"

namespace warren::perf {

/// A connection of the stub server. It agrees to all that a client asks and keeps nothing.
class StubSession {
 public:
  /// The protocol header was read already; begins with connection.start.
  explicit StubSession(Socket socket);

  Socket& socket() { return socket_; }
  int descriptor() const { return socket_.descriptor(); }
  bool is_consumer() const { return !consumer_tag_.empty(); }
  std::uint64_t messages() const { return messages_; }

  /// Reads once. Messages go to `target`, which may be null, as deliveries in its output.
  /// Confirms for all that was read are in the own output then.
  base::Result<> on_readable(StubSession* target);

  /// What the loop asked the kernel to watch for.
  std::uint32_t listens_for = 0;

  // For the scanner.
  void on_method(std::uint16_t channel, std::uint32_t key, base::ByteView payload);
  void on_header(std::uint16_t channel, base::ByteView payload);
  void on_body(std::uint16_t channel, base::ByteView piece, std::uint32_t left);
  void on_skipped(std::uint32_t) {}
  bool skips_bodies() const { return target_ == nullptr; }

 private:
  void answer(std::uint16_t channel, const codec::amqp091::Method& request);
  void deliver(base::ByteView publish);
  void confirm();

  Socket socket_;
  StubSession* target_ = nullptr;   ///< while reading
  std::string consumer_tag_;
  std::uint16_t consumer_channel_ = 0;
  std::uint64_t delivery_tag_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint16_t confirm_channel_ = 0;  ///< 0: no confirms
  bool is_inside_frame_ = false;       ///< of a body that comes in pieces
  bool is_over_ = false;
};

}  // namespace warren::perf
