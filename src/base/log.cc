#include "base/log.h"

namespace warren::base {
namespace {

LogSink g_sink;
LogLevel g_lowest = LogLevel::error;

}  // namespace

void set_log_sink(LogSink sink, LogLevel lowest) {
  g_sink = std::move(sink);
  g_lowest = lowest;
}

bool is_logged(LogLevel level) { return g_sink && level >= g_lowest; }

void write_log(LogLevel level, std::string_view line) {
  if (g_sink) g_sink(level, line);
}

}  // namespace warren::base
