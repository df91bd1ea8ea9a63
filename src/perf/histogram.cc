#include "perf/histogram.h"

#include <algorithm>
#include <cmath>

namespace warren::perf {

void Histogram::clear() {
  std::ranges::fill(buckets_, 0);
  count_ = 0;
  highest_ = 0;
}

std::uint64_t Histogram::end_of(std::size_t bucket) {
  if (bucket < sub_count) return bucket;
  const std::size_t shift = bucket / sub_count - 1;
  const std::uint64_t first = (bucket % sub_count + sub_count) << shift;
  return first + ((std::uint64_t{1} << shift) - 1);
}

std::uint64_t Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  // A little less, as 99.9% of 10,000 is 9,990.000000000002 in floating point.
  constexpr double roundness = 1 - 1e-12;
  const double share = std::clamp(percent, 0.0, 100.0) / 100.0 * roundness;
  const double exact = share * static_cast<double>(count_);
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(exact)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(end_of(i), highest_);
  }
  return highest_;
}

}  // namespace warren::perf
