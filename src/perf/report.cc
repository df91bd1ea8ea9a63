#include "perf/report.h"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace warren::perf {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr double nanoseconds_a_millisecond = 1e6;
constexpr double kib = 1024;

double rounded(double value, double digits) { return std::round(value * digits) / digits; }

}  // namespace

std::string group_digits(std::uint64_t value) {
  const std::string digits = std::to_string(value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string milliseconds_text(std::uint64_t nanoseconds) {
  const double value = static_cast<double>(nanoseconds) / nanoseconds_a_millisecond;
  return fmt::format("{:.{}f}", value, value < 10 ? 3 : value < 100 ? 2 : 1);
}

Report::Report(std::string_view mode) { json_["mode"] = management::text_json(mode); }

void Report::add_line(std::string_view name, const std::string& value) {
  text_ += fmt::format("{:<28}{}\n", name, value);
}

void Report::add_count(std::string_view name, std::uint64_t value) {
  json_[name] = value;
  add_line(name, group_digits(value));
}

void Report::add_rate(std::string_view name, double value) {
  json_[name] = rounded(value, 10);
  const bool is_large = value >= 100;
  add_line(name, is_large ? group_digits(static_cast<std::uint64_t>(std::llround(value))) + "/s"
                          : fmt::format("{:.2f}/s", value));
}

void Report::add_number(std::string_view name, double value) {
  json_[name] = rounded(value, 10000);
  add_line(name, fmt::format("{:.3f}", value));
}

void Report::add_text(std::string_view name, std::string_view value) {
  json_[name] = management::text_json(value);
  add_line(name, std::string(value));
}

void Report::add_latency(std::string_view name, const Histogram& histogram) {
  if (histogram.count() == 0) return;
  constexpr std::pair<const char*, double> points[] = {
      {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}};
  management::JsonObject object;
  std::string line;
  const auto put = [&](const char* point, std::uint64_t value) {
    object[point] = rounded(static_cast<double>(value) / nanoseconds_a_millisecond, 10000);
    line += fmt::format("{}{} {}", line.empty() ? "" : "  ", point, milliseconds_text(value));
  };
  for (const auto& [point, percent] : points) put(point, histogram.percentile(percent));
  put("max", histogram.highest());
  object["count"] = histogram.count();
  json_[name] = std::move(object);
  add_line(name, line);
}

void Report::add_processes(const ProcessWatch& watch, double seconds, std::uint64_t messages) {
  management::JsonArray processes;
  for (const auto& span : watch.spans()) {
    management::JsonObject object;
    object["pid"] = span.pid;
    object["alive"] = span.is_alive;
    object["cpu_seconds"] = rounded(span.cpu_seconds, 1000);
    object["rss_kib_before"] = span.resident_before / 1024;
    object["rss_kib_after"] = span.resident_after / 1024;
    object["rss_kib_most"] = span.resident_most / 1024;
    object["hwm_kib"] = span.resident_high / 1024;
    processes.push_back(std::move(object));
    add_line(fmt::format("server {}", span.pid),
             fmt::format("cpu {:.2f} s ({:.0f}% of a core)  rss {:.1f} MiB -> {:.1f} MiB, most "
                         "{:.1f}, ever {:.1f}{}",
                         span.cpu_seconds, seconds > 0 ? 100 * span.cpu_seconds / seconds : 0,
                         static_cast<double>(span.resident_before) / kib / kib,
                         static_cast<double>(span.resident_after) / kib / kib,
                         static_cast<double>(span.resident_most) / kib / kib,
                         static_cast<double>(span.resident_high) / kib / kib,
                         span.is_alive ? "" : "  (it is gone)"));
  }
  if (!watch.spans().empty()) {
    json_["servers"] = std::move(processes);
    if (messages > 0) {
      constexpr double microseconds = 1e6;
      add_number("server_cpu_us_per_message",
                 watch.cpu_seconds() * microseconds / static_cast<double>(messages));
    }
  }
  add_number("generator_cpu_seconds", watch.own_seconds());
}

Result<> Report::publish(const Options& options) const {
  const std::string json = management::print_json(json_) + "\n";
  if (options.json == "-") {
    std::fputs(json.c_str(), stdout);
    return {};
  }
  std::fputs(text_.c_str(), stdout);
  if (options.json.empty()) return {};
  std::ofstream file(options.json);
  file << json;
  file.close();
  if (!file)
    return fail(ErrorCode::io,
                fmt::format("cannot write {}: {}", options.json, std::strerror(errno)));
  return {};
}

}  // namespace warren::perf
