#include "perf/process_use.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace warren::perf {

std::optional<ProcessUse> process_use(int pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(stat, line)) return std::nullopt;
  // The name stands in parentheses and may hold anything; the fields count from behind it.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  constexpr int fields_before_times = 11;
  std::string skipped;
  for (int i = 0; i < fields_before_times; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  ProcessUse use;
  use.cpu_seconds = (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  constexpr std::uint64_t kib = 1024;
  while (std::getline(status, line)) {
    const auto value = [&line] { return std::stoull(line.substr(line.find(':') + 1)) * kib; };
    if (line.starts_with("VmRSS:")) use.resident = value();
    if (line.starts_with("VmHWM:")) use.resident_high = value();
  }
  return use;
}

double own_cpu_seconds() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  constexpr double microseconds = 1e6;
  return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / microseconds;
}

ProcessWatch::ProcessWatch(const std::vector<int>& pids) {
  for (const int pid : pids) spans_.push_back({.pid = pid});
  cpu_at_begin_.resize(pids.size());
  begin();
}

void ProcessWatch::begin() {
  own_at_begin_ = own_cpu_seconds();
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    Span& span = spans_[i];
    const auto use = process_use(span.pid);
    span.is_alive = use.has_value();
    if (!use) continue;
    cpu_at_begin_[i] = use->cpu_seconds;
    span.resident_before = span.resident_most = use->resident;
  }
  sample();
}

void ProcessWatch::sample() {
  own_now_ = own_cpu_seconds();
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    Span& span = spans_[i];
    const auto use = process_use(span.pid);
    span.is_alive = use.has_value();
    if (!use) continue;
    span.cpu_seconds = use->cpu_seconds - cpu_at_begin_[i];
    span.resident_after = use->resident;
    span.resident_most = std::max(span.resident_most, use->resident);
    span.resident_high = use->resident_high;
  }
}

double ProcessWatch::cpu_seconds() const {
  double sum = 0;
  for (const Span& span : spans_) sum += span.cpu_seconds;
  return sum;
}

}  // namespace warren::perf
