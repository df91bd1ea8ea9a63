#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"

namespace warren::server {

/// The node's log: a line "2026-01-31 12:00:00.123456+00:00 [info] text" per event, with further
/// lines of a text under the same head. Used on the node's shard only.
class LogFile {
 public:
  /// "-" is standard output. The directory is made when it is missing.
  static base::Result<std::unique_ptr<LogFile>> open(const std::string& path);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  void write(base::LogLevel level, std::string_view text);
  /// Opens the file of that name again, which may be another one by now (log rotation). When that
  /// fails the old one stays.
  void reopen();

 private:
  LogFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
};

}  // namespace warren::server
