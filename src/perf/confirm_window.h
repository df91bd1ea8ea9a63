#pragma once

#include <cstdint>
#include <vector>

#include "perf/histogram.h"

namespace warren::perf {

/// The unconfirmed messages of one channel, which the broker numbers from 1 on. It bounds how
/// many there may be and knows when each was published.
class ConfirmWindow {
 public:
  /// At most `size` unconfirmed; `size` is at least 1.
  explicit ConfirmWindow(std::uint32_t size);

  /// How many may be published now. Less than the window has free while single confirms far
  /// ahead of the oldest unconfirmed message use up the memory.
  std::uint64_t room() const;
  /// The next `count` messages were published at that time, in nanoseconds; never 0.
  void publish(std::uint64_t count, std::uint64_t nanoseconds);
  /// Confirms one message or all up to it; each time since its publishing goes to `latencies`.
  /// The result is how many were confirmed for the first time.
  std::uint64_t confirm(std::uint64_t number, bool multiple, std::uint64_t nanoseconds,
                        Histogram& latencies);

  std::uint64_t unconfirmed() const { return unconfirmed_; }

 private:
  std::uint64_t size_;
  std::uint64_t mask_;
  std::vector<std::uint64_t> times_;  ///< a ring; 0 for what is confirmed
  std::uint64_t next_ = 1;            ///< the number of the next message
  std::uint64_t oldest_ = 1;          ///< all before are confirmed
  std::uint64_t unconfirmed_ = 0;
};

}  // namespace warren::perf
