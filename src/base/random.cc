#include "base/random.h"

#include <sys/random.h>

#include "base/assert.h"

namespace warren::base {

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

std::uint64_t Random::below(std::uint64_t bound) {
  ASSERT(bound != 0);
  return next() % bound;
}

std::string secure_random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    ssize_t got = getrandom(bytes.data() + filled, size - filled, 0);
    ASSERT(got > 0);
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace warren::base
