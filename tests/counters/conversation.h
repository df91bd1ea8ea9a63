#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

/// What the clients of both brokers say, and what they hear.
namespace warren::counters {

struct Load {
  bool is_persistent = false;  ///< a durable queue, persistent messages, confirms
  bool is_acked = false;       ///< the consumer acknowledges each turn with one ack
  std::size_t body_bytes = 12;
  int messages = 1000;  ///< in each turn
};

/// One after the other, each to be answered before the next is said.
base::Bytes say_login();
base::Bytes say_open();
base::Bytes say_publisher_setup(const Load& load);
base::Bytes say_consumer_setup(const Load& load);
/// All messages of a turn.
base::Bytes say_publishes(const Load& load);
base::Bytes say_ack(std::uint64_t tag);

/// Counts what a client is told.
class Ear {
 public:
  /// Frames may be cut anywhere.
  void hear(base::ByteView bytes);
  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t confirmed() const { return confirmed_; }
  /// Class and method of the last method, 65536 * class + method.
  std::uint64_t last_method() const { return last_method_; }

 private:
  void hear_frame(base::ByteView frame);

  base::Bytes cut_;
  std::uint64_t delivered_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint64_t last_method_ = 0;
};

}  // namespace warren::counters
