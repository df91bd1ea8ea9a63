#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/result.h"

namespace warren::base {

/// Bytes owned and bytes seen. Text and binary share these types; nothing here assumes UTF-8.
using Bytes = std::string;
using ByteView = std::string_view;

/// An integer in network order at `from`, which holds at least as many octets.
template <std::unsigned_integral T>
T load_network(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return std::endian::native == std::endian::big ? value : std::byteswap(value);
}
/// Writes an integer in network order; returns the place after it.
template <std::unsigned_integral T>
char* store_network(char* to, T value) {
  if constexpr (std::endian::native != std::endian::big) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof(T));
  return to + sizeof(T);
}
/// Copies bytes; returns the place after them.
inline char* store_bytes(char* to, ByteView bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

/// Lengthens `out` by `size` octets, which the caller writes at the place that is returned.
inline char* extend(Bytes& out, std::size_t size) {
  const std::size_t before = out.size();
  const std::size_t after = before + size;
  // g++ 12.2 hands the new capacity to the function instead of the size.
  out.resize_and_overwrite(after, [after](char*, std::size_t) { return after; });
  return out.data() + before;
}

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
    store_network(octets, value);
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
  ByteView raw(std::size_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    ByteView taken(rest_.data(), size);
    rest_.remove_prefix(size);
    return taken;
  }
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
    return octets.size() == sizeof(T) ? load_network<T>(octets.data()) : T{0};
  }

  ByteView rest_;
  bool failed_ = false;
};

}  // namespace warren::base
