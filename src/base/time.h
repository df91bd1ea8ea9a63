#pragma once

#include <chrono>

namespace warren::base {

using Duration = std::chrono::microseconds;

/// Monotonic time as deterministic code sees it. It comes in from outside with each event: from
/// the operating system in the server, from a counter in the simulator.
struct MonotonicClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using Time = MonotonicClock::time_point;

/// "No deadline": later than any time.
inline constexpr Time never = Time::max();

}  // namespace warren::base
