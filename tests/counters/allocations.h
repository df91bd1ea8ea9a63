#pragma once

#include <cstdint>

namespace warren::counters {

/// Calls of operator new in this program so far.
std::uint64_t allocations();

}  // namespace warren::counters
