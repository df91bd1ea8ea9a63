#pragma once

#include <cstdint>
#include <optional>

#include "perf/producer.h"
#include "perf/socket.h"

namespace warren::perf {

/// A connection that consumes on one channel.
class Consumer {
 public:
  struct Settings {
    bool auto_ack = false;
    std::uint32_t ack_batch = 1;
    double rate = 0;          ///< messages a second; 0: as many as come
    bool has_stamps = false;  ///< bodies begin with the time of their publishing
  };

  /// `tally` must outlive the consumer.
  Consumer(Socket socket, const Settings& settings, Tally& tally);

  int descriptor() const { return socket_.descriptor(); }
  Socket& socket() { return socket_; }

  /// Reads once, and acknowledges what is due.
  base::Result<> on_readable();
  base::Result<> on_writable();
  /// Acknowledges the rest of a batch.
  base::Result<> acknowledge_rest();

  /// Wants to hear when the socket takes bytes again.
  bool is_blocked() const { return socket_.unsent() > 0; }
  /// With a rate: until when nothing should be read; 0 when nothing is held back.
  std::uint64_t held_until() const;

  /// What the loop asked the kernel to watch for.
  std::uint32_t listens_for = 1;

  // For the scanner.
  void on_method(std::uint16_t channel, std::uint32_t key, base::ByteView payload);
  void on_header(std::uint16_t, base::ByteView payload);
  void on_body(std::uint16_t, base::ByteView piece, std::uint32_t left);
  void on_skipped(std::uint32_t octets) { pass_over(octets); }
  bool skips_bodies() const { return true; }

 private:
  void pass_over(std::uint64_t octets);
  void on_message();
  void acknowledge(std::uint64_t delivery_tag);

  Socket socket_;
  Settings settings_;
  Tally& tally_;
  std::uint64_t delivery_tag_ = 0;
  std::uint64_t body_left_ = 0;
  bool is_first_piece_ = false;
  std::uint32_t unacknowledged_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t started_ = 0;
  std::uint64_t now_ = 0;  ///< while reading
  base::Result<> failure_;
};

}  // namespace warren::perf
