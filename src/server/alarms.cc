#include "server/alarms.h"

namespace warren::server {

bool Alarms::check(std::uint64_t memory_used, std::uint64_t disk_free, bool is_disk_full) {
  bool memory = memory_limit_ > 0 && memory_used > memory_limit_;
  bool disk = is_disk_full || (disk_free_limit_ > 0 && disk_free < disk_free_limit_);
  bool has_changed = memory != memory_ || disk != disk_;
  memory_ = memory;
  disk_ = disk;
  return has_changed;
}

std::string Alarms::reason() const {
  if (memory_ && disk_) return "low on memory & low on disk";
  if (memory_) return "low on memory";
  return disk_ ? "low on disk" : "";
}

}  // namespace warren::server
