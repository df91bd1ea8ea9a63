#pragma once

#include <cstdint>
#include <string_view>

namespace warren::base {

/// CRC-32C (Castagnoli) of `bytes`, going on from `seed` (the result for the bytes before them).
/// Uses SSE 4.2 where the processor has it, a table elsewhere; both give the same result.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace warren::base
