#pragma once

namespace warren::base {

/// Prints the failed condition with its place and ends the process by abort().
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace warren::base

/// States an invariant. It is checked in every build: a broker that goes on with a broken
/// invariant can lose data. Never assert what a peer sent or what a disk returned.
#define ASSERT(condition)                                                     \
  (static_cast<bool>(condition)                                               \
       ? static_cast<void>(0)                                                 \
       : ::warren::base::assertion_failed(#condition, __FILE__, __LINE__))
