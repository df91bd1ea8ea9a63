#pragma once

#include <cstdint>

namespace warren::counters {

/// Calls of operator new in this program so far.
std::uint64_t allocations();
/// Of memory that is not given back, with what the C library adds to each block.
std::uint64_t held_octets();

}  // namespace warren::counters
