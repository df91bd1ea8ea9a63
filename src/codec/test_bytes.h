#pragma once

#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/random.h"

/// Bytes for this module's tests.
namespace warren::codec {

inline std::string from_hex(std::string_view hex) {
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  ASSERT(hex.size() % 2 == 0);
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return bytes;
}

inline std::string random_bytes(base::Random& random, std::size_t most) {
  std::string bytes(random.below(most + 1), '\0');
  for (char& octet : bytes) octet = static_cast<char>(random.next());
  return bytes;
}

/// Overwrites a few octets.
inline void damage(std::string& bytes, base::Random& random) {
  for (std::uint64_t n = random.below(4) + 1; n > 0 && !bytes.empty(); --n)
    bytes[random.below(bytes.size())] = static_cast<char>(random.next());
}

}  // namespace warren::codec
