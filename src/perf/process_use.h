#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace warren::perf {

/// What a process has used, as /proc tells it.
struct ProcessUse {
  double cpu_seconds = 0;          ///< user and system
  std::uint64_t resident = 0;      ///< octets, VmRSS
  std::uint64_t resident_high = 0; ///< octets, VmHWM
};

/// Empty when there is no such process.
std::optional<ProcessUse> process_use(int pid);

/// User and system time of this process so far.
double own_cpu_seconds();

/// Several processes, and this one, over a stretch of time.
class ProcessWatch {
 public:
  struct Span {
    int pid = 0;
    bool is_alive = true;
    double cpu_seconds = 0;  ///< within the stretch
    std::uint64_t resident_before = 0;
    std::uint64_t resident_after = 0;
    std::uint64_t resident_most = 0;  ///< as sampled
    std::uint64_t resident_high = 0;  ///< since the process began
  };

  explicit ProcessWatch(const std::vector<int>& pids);
  /// The stretch begins.
  void begin();
  /// Looks again; the stretch goes to the last look.
  void sample();

  const std::vector<Span>& spans() const { return spans_; }
  double cpu_seconds() const;
  /// Of this process within the stretch.
  double own_seconds() const { return own_now_ - own_at_begin_; }

 private:
  std::vector<Span> spans_;
  std::vector<double> cpu_at_begin_;
  double own_at_begin_ = 0;
  double own_now_ = 0;
};

}  // namespace warren::perf
