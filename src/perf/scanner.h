#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "codec/amqp091_frame.h"

namespace warren::perf {

/// Integers in network order at a place that is known to hold them.
inline std::uint16_t read_u16(const char* at) {
  std::uint16_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return __builtin_bswap16(value);
}
inline std::uint32_t read_u32(const char* at) {
  std::uint32_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}
inline std::uint64_t read_u64(const char* at) {
  std::uint64_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}

/// Class and method in one number, as the first four octets of a method frame hold them.
constexpr std::uint32_t method_key(std::uint16_t class_id, std::uint16_t method_id) {
  return std::uint32_t{class_id} << 16 | method_id;
}

/// Walks over the frames of one direction of a connection without copying. The handler gets
///   on_method(channel, key, payload)   payload with the four octets of the key in front
///   on_header(channel, payload)        a content header
///   on_body(channel, piece, left)      a part of a body frame; `left` octets of that frame follow
/// and views that live during the call. Body frames are handed on in pieces as they arrive, the
/// first of at least `least_piece` octets where the frame has so many; other frames come whole.
class FrameScanner {
 public:
  static constexpr std::size_t least_piece = 64;

  explicit FrameScanner(std::uint32_t frame_max) : payload_max_(frame_max) {}

  /// How many of the bytes were taken; offer the rest again with more behind it. At most one
  /// frame other than a body is left.
  template <typename Handler>
  std::size_t scan(base::ByteView bytes, Handler& handler);

  /// How much of a body that was handed on in part is still to come; whoever can do without it may
  /// take it from the stream himself and say so with `skip`.
  std::uint32_t body_left() const { return in_body_ ? body_left_ : 0; }
  /// At most `body_left` octets of that body were passed over.
  void skip(std::uint32_t octets) { body_left_ -= octets; }

  /// The stream stopped being frames; nothing is taken any more.
  bool failed() const { return failed_; }

 private:
  template <typename Handler>
  const char* scan_frame(const char* at, std::uint32_t size, Handler& handler);
  template <typename Handler>
  const char* scan_piece(const char* at, const char* end, Handler& handler);

  std::uint32_t payload_max_;
  std::uint32_t body_left_ = 0;
  std::uint16_t body_channel_ = 0;
  bool in_body_ = false;
  bool failed_ = false;
};

template <typename Handler>
std::size_t FrameScanner::scan(base::ByteView bytes, Handler& handler) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (!failed_) {
    if (in_body_) {
      at = scan_piece(at, end, handler);
      if (in_body_) break;
    }
    if (end - at < 7) break;
    const std::uint32_t size = read_u32(at + 3);
    if (size > payload_max_) {
      failed_ = true;
      break;
    }
    const auto available = static_cast<std::size_t>(end - at);
    if (available >= size + codec::amqp091::frame_overhead) {
      at = scan_frame(at, size, handler);
    } else if (*at == codec::amqp091::frame_body && available >= 7 + least_piece) {
      in_body_ = true;
      body_left_ = size;
      body_channel_ = read_u16(at + 1);
      at += 7;
    } else {
      break;
    }
  }
  return static_cast<std::size_t>(at - bytes.data());
}

template <typename Handler>
const char* FrameScanner::scan_frame(const char* at, std::uint32_t size, Handler& handler) {
  const base::ByteView payload(at + 7, size);
  const std::uint16_t channel = read_u16(at + 1);
  if (static_cast<std::uint8_t>(at[7 + size]) != codec::amqp091::frame_end) {
    failed_ = true;
    return at;
  }
  switch (*at) {
    case codec::amqp091::frame_method:
      if (size < 4) {
        failed_ = true;
        return at;
      }
      handler.on_method(channel, read_u32(payload.data()), payload);
      break;
    case codec::amqp091::frame_header:
      if (size < 14) {
        failed_ = true;
        return at;
      }
      handler.on_header(channel, payload);
      break;
    case codec::amqp091::frame_body:
      handler.on_body(channel, payload, 0U);
      break;
    case codec::amqp091::frame_heartbeat:
      break;
    default:
      failed_ = true;
      return at;
  }
  return at + size + codec::amqp091::frame_overhead;
}

template <typename Handler>
const char* FrameScanner::scan_piece(const char* at, const char* end, Handler& handler) {
  const auto available = static_cast<std::size_t>(end - at);
  const auto piece = static_cast<std::uint32_t>(available < body_left_ ? available : body_left_);
  if (piece > 0) {
    body_left_ -= piece;
    handler.on_body(body_channel_, base::ByteView(at, piece), body_left_);
    at += piece;
  }
  if (body_left_ > 0 || at == end) return at;
  if (static_cast<std::uint8_t>(*at) != codec::amqp091::frame_end) {
    failed_ = true;
    return at;
  }
  in_body_ = false;
  return at + 1;
}

}  // namespace warren::perf
