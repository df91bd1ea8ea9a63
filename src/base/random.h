#pragma once

#include <cstdint>
#include <string>

namespace warren::base {

/// A seeded generator (splitmix64). Deterministic code takes one from outside; it is not for
/// secrets: salts and nonces come from `secure_random_bytes`.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next();
  /// A number in [0, bound); `bound` must not be zero.
  std::uint64_t below(std::uint64_t bound);
  /// True with the chance of `percent` in 100.
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

/// `size` bytes from the operating system's generator.
std::string secure_random_bytes(std::size_t size);

}  // namespace warren::base
