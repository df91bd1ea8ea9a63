#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace warren::perf {

/// Counts durations in nanoseconds in buckets whose width grows with the value: what comes out is
/// at most 1/128 above what went in, from 1 ns to centuries, in 58 KiB for any number of values.
class Histogram {
 public:
  Histogram() : buckets_(bucket_count, 0) {}

  void record(std::uint64_t nanoseconds, std::uint64_t times = 1) {
    buckets_[bucket_of(nanoseconds)] += times;
    count_ += times;
    if (nanoseconds > highest_) highest_ = nanoseconds;
  }
  void clear();

  std::uint64_t count() const { return count_; }
  /// The highest value itself; 0 when nothing was recorded.
  std::uint64_t highest() const { return highest_; }
  /// The value that `percent` of all don't exceed, rounded up to the end of its bucket but never
  /// above the highest; 0 when nothing was recorded.
  std::uint64_t percentile(double percent) const;

 private:
  static constexpr unsigned sub_bits = 7;
  static constexpr std::uint64_t sub_count = 1U << sub_bits;
  static constexpr std::size_t bucket_count = (64 - sub_bits + 1) * sub_count;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < sub_count) return value;
    const unsigned shift = 63U - static_cast<unsigned>(__builtin_clzll(value)) - sub_bits;
    return (shift + 1) * sub_count + ((value >> shift) - sub_count);
  }
  /// The highest value of a bucket.
  static std::uint64_t end_of(std::size_t bucket);

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t highest_ = 0;
};

}  // namespace warren::perf
