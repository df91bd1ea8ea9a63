#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace warren::perf {

/// Publishes made beforehand, one behind the other, ready to be written many at a time. A
/// producer goes round and round in it; only the time stamp at the front of each body changes.
class MessagePool {
 public:
  struct Shape {
    std::string exchange;
    std::vector<std::string> routing_keys;  ///< at least one; they take turns
    std::uint32_t size = 0;
    bool persistent = false;
    bool mandatory = false;
    std::uint32_t frame_max = 131072;
  };
  /// Room for time stamps; smaller messages have none.
  static constexpr std::uint32_t stamp_size = 8;
  static constexpr std::uint16_t channel = 1;

  explicit MessagePool(const Shape& shape);

  std::uint64_t messages() const { return ends_.size() - 1; }
  bool has_stamps() const { return has_stamps_; }
  /// The octets of `count` messages from `first` on, which must not go past the last.
  base::ByteView span(std::uint64_t first, std::uint64_t count) const {
    return base::ByteView(bytes_).substr(ends_[first], ends_[first + count] - ends_[first]);
  }
  /// How many messages from `first` on are wholly within so many octets, but at least one.
  std::uint64_t fitting(std::uint64_t first, std::uint64_t most, std::size_t octets) const;
  void stamp(std::uint64_t first, std::uint64_t count, std::uint64_t nanoseconds);

 private:
  std::string bytes_;
  std::vector<std::uint64_t> ends_{0};  ///< of each message, after a zero
  std::vector<std::uint64_t> stamps_;   ///< where each message has its time stamp
  std::uint64_t stride_ = 0;            ///< of messages of one length, or 0
  bool has_stamps_;
};

}  // namespace warren::perf
