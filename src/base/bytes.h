#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace warren::base {

/// Bytes owned and bytes seen. Text and binary share these types; nothing here assumes UTF-8.
using Bytes = std::string;
using ByteView = std::string_view;

/// Appends values to a byte string, integers in network order.
class ByteWriter {
 public:
  /// Writes go to the end of `out`, which must outlive the writer.
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(std::uint16_t value) { integer(value); }
  void u32(std::uint32_t value) { integer(value); }
  void u64(std::uint64_t value) { integer(value); }
  void boolean(bool value) { u8(value ? 1 : 0); }
  void raw(ByteView bytes) { out_.append(bytes); }
  /// One length octet, then the bytes; `bytes` must be at most 255 long.
  void short_string(ByteView bytes);
  /// Four length octets, then the bytes.
  void long_string(ByteView bytes);

  std::size_t size() const { return out_.size(); }
  /// Overwrites four octets written earlier at `offset`, for lengths known only afterwards.
  void patch_u32(std::size_t offset, std::uint32_t value);

 private:
  template <typename T>
  void integer(T value) {
    char octets[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i)
      octets[i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
    out_.append(octets, sizeof(T));
  }

  Bytes& out_;
};

/// Takes values from the front of a byte view. A read past the end sets `failed()` for good and
/// returns zero or an empty view, so a decoder may read a whole structure and check once.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes) {}

  std::uint8_t u8() { return integer<std::uint8_t>(); }
  std::uint16_t u16() { return integer<std::uint16_t>(); }
  std::uint32_t u32() { return integer<std::uint32_t>(); }
  std::uint64_t u64() { return integer<std::uint64_t>(); }
  bool boolean() { return u8() != 0; }
  /// The next `size` bytes; the view points into the bytes that the reader was made of.
  ByteView raw(std::size_t size);
  ByteView short_string() { return raw(u8()); }
  ByteView long_string() { return raw(u32()); }

  ByteView rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }
  bool failed() const { return failed_; }
  /// Marks the input as malformed, for checks that only the caller can make.
  void fail() { failed_ = true; rest_ = {}; }
  /// An error with `what` when a read went past the end.
  Result<> check(std::string_view what) const;

 private:
  template <typename T>
  T integer() {
    ByteView octets = raw(sizeof(T));
    if (octets.size() != sizeof(T)) return 0;
    T value = 0;
    for (char octet : octets)
      value = static_cast<T>((std::uint64_t{value} << 8) | static_cast<unsigned char>(octet));
    return value;
  }

  ByteView rest_;
  bool failed_ = false;
};

}  // namespace warren::base
