#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "management/json.h"
#include "perf/histogram.h"
#include "perf/options.h"
#include "perf/process_use.h"

namespace warren::perf {

/// The result of one run: named figures in an order for reading, the same as text and as JSON.
class Report {
 public:
  explicit Report(std::string_view mode);

  /// A number of things; shown with thousands apart.
  void add_count(std::string_view name, std::uint64_t value);
  /// Things a second.
  void add_rate(std::string_view name, double value);
  void add_number(std::string_view name, double value);
  void add_text(std::string_view name, std::string_view value);
  /// p50 to p99.9 and the highest, in milliseconds; nothing when nothing was recorded.
  void add_latency(std::string_view name, const Histogram& histogram);
  /// CPU time and memory of the watched processes; with `messages`, the CPU time of each.
  void add_processes(const ProcessWatch& watch, double seconds, std::uint64_t messages);

  const std::string& text() const { return text_; }
  /// Prints the text, and the JSON where the options say; to standard output goes one of both.
  base::Result<> publish(const Options& options) const;

 private:
  void add_line(std::string_view name, const std::string& value);

  management::JsonObject json_;
  std::string text_;
};

/// 1234567 as "1,234,567".
std::string group_digits(std::uint64_t value);
/// Nanoseconds as milliseconds with three digits that mean something.
std::string milliseconds_text(std::uint64_t nanoseconds);

}  // namespace warren::perf
