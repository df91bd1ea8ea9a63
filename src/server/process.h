#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace warren::server {

/// Holds the data directory for one process (flock on its file "lock") for as long as it lives.
class DataDirLock {
 public:
  /// already_exists when another process holds it and goes on to for two seconds: one that was
  /// killed may still be letting go of its memory and files. Makes the directory.
  static base::Result<std::unique_ptr<DataDirLock>> take(const std::filesystem::path& data_dir);
  ~DataDirLock();
  DataDirLock(const DataDirLock&) = delete;
  DataDirLock& operator=(const DataDirLock&) = delete;

 private:
  explicit DataDirLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

/// The file that says which process the node is; removed at the end unless somebody else has
/// written it since.
class PidFile {
 public:
  static base::Result<std::unique_ptr<PidFile>> write(const std::filesystem::path& path);
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  explicit PidFile(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// Goes on in a process of its own session without a terminal. The caller's process waits until
/// the new one calls `report_started`, or has ended, and exits with 0 or 1 accordingly.
class Detachment {
 public:
  /// Returns in the new process only.
  static std::unique_ptr<Detachment> detach();
  ~Detachment();

  /// Lets the caller go, and points the standard streams to /dev/null.
  void report_started();

 private:
  explicit Detachment(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

/// Runs this program with one argument, in a session of its own and without our files.
base::Result<> start_own_process(const std::string& argument);

/// Raises the number of files that the process may open to what the system allows.
void raise_file_limit();

}  // namespace warren::server
