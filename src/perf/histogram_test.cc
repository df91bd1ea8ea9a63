#include "perf/histogram.h"

#include <doctest/doctest.h>

#include <limits>

namespace warren::perf {

TEST_CASE("an empty histogram has no figures") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.percentile(50) == 0);
  CHECK(histogram.highest() == 0);
}

TEST_CASE("small values are exact") {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  CHECK(histogram.percentile(1) == 1);
  CHECK(histogram.percentile(50) == 50);
  CHECK(histogram.percentile(99) == 99);
  CHECK(histogram.percentile(99.9) == 100);
  CHECK(histogram.percentile(100) == 100);
}

TEST_CASE("a percentile is never below the value and at most a 128th above") {
  for (std::uint64_t value = 1; value < std::numeric_limits<std::uint64_t>::max() / 3; value *= 3) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(std::numeric_limits<std::uint64_t>::max());
    const std::uint64_t found = histogram.percentile(50);
    CHECK(found >= value);
    CHECK(found - value <= value / 128);
  }
}

TEST_CASE("the highest value is exact and nothing exceeds it") {
  Histogram histogram;
  histogram.record(1000001);
  CHECK(histogram.highest() == 1000001);
  CHECK(histogram.percentile(99.9) == 1000001);
  histogram.record(std::numeric_limits<std::uint64_t>::max());
  CHECK(histogram.percentile(100) == std::numeric_limits<std::uint64_t>::max());
  histogram.record(0);
  CHECK(histogram.percentile(1) == 0);
}

TEST_CASE("a rare value shows where it belongs") {
  Histogram histogram;
  histogram.record(100, 9990);
  histogram.record(1000000, 10);
  CHECK(histogram.percentile(50) == 100);
  CHECK(histogram.percentile(99.9) == 100);
  CHECK(histogram.percentile(99.91) == 1000000);
}

TEST_CASE("clearing forgets") {
  Histogram histogram;
  histogram.record(10, 3);
  histogram.clear();
  CHECK(histogram.count() == 0);
  CHECK(histogram.highest() == 0);
  CHECK(histogram.percentile(100) == 0);
}

}  // namespace warren::perf
