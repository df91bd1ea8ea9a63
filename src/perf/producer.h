#pragma once

#include <cstdint>
#include <optional>

#include "perf/confirm_window.h"
#include "perf/message_pool.h"
#include "perf/socket.h"

namespace warren::perf {

/// What producers and consumers count and time, all together. Only while `recording` do latencies
/// count.
struct Tally {
  std::uint64_t published = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t nacked = 0;
  std::uint64_t returned = 0;
  std::uint64_t delivered = 0;
  std::uint64_t redelivered = 0;
  Histogram confirm_latency;
  Histogram delivery_latency;
  std::uint64_t last_publish = 0;   ///< when, in nanoseconds
  std::uint64_t last_confirm = 0;
  std::uint64_t last_delivery = 0;
  std::uint64_t longest_confirm_gap = 0;  ///< between two confirms, in nanoseconds
};

/// A connection that publishes on one channel, from a pool of prepared messages.
class Producer {
 public:
  struct Settings {
    MessagePool::Shape shape;
    std::uint32_t window = 0;  ///< 0: no confirms
    double rate = 0;           ///< messages a second; 0: as many as go
  };

  /// `tally` must outlive the producer; the channel is open, and in confirm mode with a window.
  Producer(Socket socket, const Settings& settings, Tally& tally);

  int descriptor() const { return socket_.descriptor(); }

  /// Publishes what may go now, at most one batch and never over `allowance`, of which it takes
  /// what it published. True when it would go on at once.
  base::Result<bool> pump(std::uint64_t now, std::uint64_t& allowance);
  /// The socket has something to read.
  base::Result<> on_readable();
  /// The socket takes bytes again.
  void on_writable() { is_blocked_ = false; }

  /// Wants to hear when the socket takes bytes again.
  bool is_blocked() const { return is_blocked_; }
  /// When the next message is due, with a rate; nothing where time alone changes nothing.
  std::optional<std::uint64_t> next_due() const;
  std::uint64_t unconfirmed() const { return window_ ? window_->unconfirmed() : 0; }
  /// A message was written in part; it must be completed before the connection ends well.
  bool has_unsent() const { return !unsent_.empty(); }
  /// Ends the connection, with a goodbye unless that would stand in the middle of a message.
  void close() {
    if (!has_unsent()) socket_.close_orderly();
  }

  /// What the loop asked the kernel to watch for.
  std::uint32_t listens_for = 1;

  // For the scanner.
  void on_method(std::uint16_t channel, std::uint32_t key, base::ByteView payload);
  void on_header(std::uint16_t, base::ByteView) {}
  void on_body(std::uint16_t, base::ByteView, std::uint32_t) {}
  void on_skipped(std::uint32_t) {}
  bool skips_bodies() const { return true; }

 private:
  std::uint64_t due_at(std::uint64_t now) const;
  base::Result<> send(base::ByteView bytes);
  void on_confirm(base::ByteView payload, bool is_ack);

  Socket socket_;
  MessagePool pool_;
  Tally& tally_;
  std::optional<ConfirmWindow> window_;
  double rate_;
  std::uint64_t started_ = 0;    ///< when it published first
  std::uint64_t published_ = 0;
  std::uint64_t place_ = 0;      ///< in the pool
  base::ByteView unsent_;        ///< of the pool; until it went, the pool stays as it is
  bool is_blocked_ = false;
  base::Result<> failure_;
  std::uint64_t now_ = 0;        ///< while reading
};

/// The error that a method which closes a channel or a connection stands for; empty for others.
std::optional<base::Error> closing_error(std::uint32_t key, base::ByteView payload);

}  // namespace warren::perf
