#pragma once

#include <chrono>

namespace warren::base {

using Duration = std::chrono::microseconds;

/// Monotonic time as deterministic code sees it. It comes in from outside: from the operating
/// system in the server, from a counter in the simulator.
struct MonotonicClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using Time = MonotonicClock::time_point;

/// The time of day, which an operator or a time server may set forwards and back.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Tells the time to code that is called by others than its timers.
class Clock {
 public:
  virtual ~Clock() = default;
  /// It stands still within a turn.
  virtual Time now() const = 0;
  virtual WallTime wall_time() const = 0;
};

/// "No deadline": later than any time.
inline constexpr Time never = Time::max();

}  // namespace warren::base
