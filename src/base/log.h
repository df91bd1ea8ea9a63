#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace warren::base {

enum class LogLevel { debug, info, warning, error };

/// Where finished log lines go. The server sets one that adds time, level and node and writes to
/// the log file; before that, and in tests, lines go nowhere.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Replaces the sink and the lowest level that reaches it. Call before threads are started.
void set_log_sink(LogSink sink, LogLevel lowest);

bool is_logged(LogLevel level);
void write_log(LogLevel level, std::string_view line);

/// log_info("node {} is up", name): one event, in words, once.
template <typename... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (is_logged(level)) write_log(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::debug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::info, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::error, format, std::forward<Args>(args)...);
}

}  // namespace warren::base
