#pragma once

#include <cstdint>

namespace warren::counters {

/// Calls of the system that this program has made through the C library, on all threads.
struct SystemCalls {
  std::uint64_t reads = 0;    ///< of sockets
  std::uint64_t sends = 0;
  std::uint64_t waits = 0;    ///< epoll_wait
  std::uint64_t watches = 0;  ///< epoll_ctl
  std::uint64_t disk_writes = 0;
  std::uint64_t disk_syncs = 0;

  std::uint64_t all() const { return reads + sends + waits + watches + disk_writes + disk_syncs; }
  SystemCalls operator-(const SystemCalls& other) const {
    return {reads - other.reads,     sends - other.sends,
            waits - other.waits,     watches - other.watches,
            disk_writes - other.disk_writes, disk_syncs - other.disk_syncs};
  }
};
SystemCalls system_calls();

}  // namespace warren::counters
