#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "perf/scanner.h"

namespace warren::perf {

/// Nanoseconds of the monotonic clock; it goes into the bodies of messages.
std::uint64_t now_nanoseconds();

/// A connection that never waits. It owns the descriptor. Reading goes through one buffer that
/// all sockets share; only a frame cut by its end is kept here.
class Socket {
 public:
  /// Takes a connected socket over.
  Socket(int descriptor, std::uint32_t frame_max);
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;
  ~Socket();

  int descriptor() const { return descriptor_; }

  /// Reads once and hands on what came. False when there was nothing; an error at the end of the
  /// stream, and for bytes that are no frames. Long bodies that the handler does without
  /// (`skips_bodies`) are dropped by the kernel but for their front; `on_skipped` tells of it.
  template <typename Handler>
  base::Result<bool> read(Handler& handler);

  /// Long bodies come, which are dropped in parts: reading again is worth while.
  bool skips() const { return reads_little_; }

  /// Writes as much as goes at once; the rest is for the caller to offer again.
  base::Result<std::size_t> write(base::ByteView bytes);
  /// Bytes to be written at the next `flush`.
  std::string& out() { return out_; }
  std::size_t unsent() const { return out_.size() - out_sent_; }
  /// Writes what stands in `out`; true when all of it went.
  base::Result<bool> flush();

  /// Says goodbye, waits shortly for the broker to agree, and closes.
  void close_orderly();

 private:
  /// The kernel's work for a call is worth so many octets of copying.
  static constexpr std::uint32_t skip_least = 16384;

  base::Result<base::ByteView> receive();
  base::Result<std::uint32_t> discard(std::uint32_t octets);
  base::Result<bool> keep_rest(base::ByteView rest);

  int descriptor_;
  FrameScanner scanner_;
  std::string rest_;
  std::string out_;
  std::size_t out_sent_ = 0;
  bool reads_little_ = false;  ///< bodies are long: what follows a frame's front is to be dropped
};

template <typename Handler>
base::Result<bool> Socket::read(Handler& handler) {
  if (handler.skips_bodies() && scanner_.body_left() >= skip_least) {
    TRY_ASSIGN(const std::uint32_t skipped, discard(scanner_.body_left()));
    scanner_.skip(skipped);
    if (skipped > 0) handler.on_skipped(skipped);
    return skipped > 0;
  }
  TRY_ASSIGN(const base::ByteView bytes, receive());
  if (bytes.empty()) return false;
  const std::size_t taken = scanner_.scan(bytes, handler);
  reads_little_ = handler.skips_bodies() && scanner_.body_left() >= skip_least;
  return keep_rest(bytes.substr(taken));
}

}  // namespace warren::perf
