#pragma once

#include <cstdint>
#include <string>

namespace warren::server {

/// Whether this node is short of memory or of disk space. Publishers are held back while it is.
class Alarms {
 public:
  /// In bytes; a limit of 0 never alarms.
  Alarms(std::uint64_t memory_limit, std::uint64_t disk_free_limit)
      : memory_limit_(memory_limit), disk_free_limit_(disk_free_limit) {}

  /// True when an alarm came or went by this. A full disk is an alarm whatever the limit.
  bool check(std::uint64_t memory_used, std::uint64_t disk_free, bool is_disk_full);

  bool memory() const { return memory_; }
  bool disk() const { return disk_; }
  bool any() const { return memory_ || disk_; }
  /// What blocked clients are told: "low on memory & low on disk".
  std::string reason() const;

 private:
  std::uint64_t memory_limit_;
  std::uint64_t disk_free_limit_;
  bool memory_ = false;
  bool disk_ = false;
};

}  // namespace warren::server
