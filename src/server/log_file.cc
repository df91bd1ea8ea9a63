#include "server/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace warren::server {
namespace {

std::string_view name_of(base::LogLevel level) {
  switch (level) {
    case base::LogLevel::debug:
      return "debug";
    case base::LogLevel::info:
      return "info";
    case base::LogLevel::warning:
      return "warning";
    case base::LogLevel::error:
      return "error";
  }
  return "info";
}

std::string time_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  localtime_r(&now.tv_sec, &parts);
  long minutes = parts.tm_gmtoff / 60;
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}{}{:02}:{:02}", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     now.tv_nsec / 1000, minutes < 0 ? '-' : '+', std::abs(minutes) / 60,
                     std::abs(minutes) % 60);
}

int open_for_append(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

}  // namespace

base::Result<std::unique_ptr<LogFile>> LogFile::open(const std::string& path) {
  int descriptor = STDOUT_FILENO;
  if (path != "-") {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    descriptor = open_for_append(path);
    if (descriptor < 0)
      return base::fail(base::ErrorCode::io,
                        fmt::format("cannot open the log file {}: {}", path, std::strerror(errno)));
  }
  return std::unique_ptr<LogFile>(new LogFile(path, descriptor));
}

LogFile::~LogFile() {
  if (descriptor_ != STDOUT_FILENO) ::close(descriptor_);
}

void LogFile::write(base::LogLevel level, std::string_view text) {
  std::string head = fmt::format("{} [{}] ", time_text(), name_of(level));
  std::string lines;
  while (true) {
    auto end = text.find('\n');
    lines += head;
    lines += text.substr(0, end);
    lines += '\n';
    if (end == std::string_view::npos || end + 1 == text.size()) break;
    text.remove_prefix(end + 1);
  }
  // A full disk must not stop the node, so a line that can't be written is lost.
  [[maybe_unused]] ssize_t written = ::write(descriptor_, lines.data(), lines.size());
}

void LogFile::reopen() {
  if (path_ == "-") return;
  int descriptor = open_for_append(path_);
  if (descriptor < 0) return;
  ::close(std::exchange(descriptor_, descriptor));
}

}  // namespace warren::server
