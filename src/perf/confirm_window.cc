#include "perf/confirm_window.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace warren::perf {

ConfirmWindow::ConfirmWindow(std::uint32_t size) : size_(size) {
  ASSERT(size >= 1);
  // Twice the window, as confirms may come out of order.
  times_.resize(std::bit_ceil(std::uint64_t{size} * 2), 0);
  mask_ = times_.size() - 1;
}

std::uint64_t ConfirmWindow::room() const {
  return std::min(size_ - unconfirmed_, times_.size() - (next_ - oldest_));
}

void ConfirmWindow::publish(std::uint64_t count, std::uint64_t nanoseconds) {
  ASSERT(count <= room());
  for (std::uint64_t i = 0; i < count; ++i) times_[(next_ + i) & mask_] = nanoseconds;
  next_ += count;
  unconfirmed_ += count;
}

std::uint64_t ConfirmWindow::confirm(std::uint64_t number, bool multiple,
                                     std::uint64_t nanoseconds, Histogram& latencies) {
  // Zero stands for everything so far.
  if (number == 0 && multiple) number = next_ - 1;
  if (number < oldest_ || number >= next_) return 0;
  std::uint64_t confirmed = 0;
  for (std::uint64_t i = multiple ? oldest_ : number; i <= number; ++i) {
    std::uint64_t& time = times_[i & mask_];
    if (time == 0) continue;
    latencies.record(nanoseconds > time ? nanoseconds - time : 0);
    time = 0;
    ++confirmed;
  }
  if (multiple) oldest_ = number + 1;
  while (oldest_ < next_ && times_[oldest_ & mask_] == 0) ++oldest_;
  unconfirmed_ -= confirmed;
  return confirmed;
}

}  // namespace warren::perf
