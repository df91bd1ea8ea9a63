#include "server/alarms.h"

#include <algorithm>

namespace warren::server {

Alarms::Changes Alarms::check(std::uint64_t memory_used, std::uint64_t disk_free,
                              bool is_disk_full) {
  Changes changes;
  note(changes, "memory", self_, memory_used > memory_limit_);
  note(changes, "disk", self_, is_disk_full || disk_free < disk_free_limit_);
  return changes;
}

std::string Alarms::bulletin() const {
  if (memory() && disk()) return "memory disk";
  if (memory()) return "memory";
  return disk() ? "disk" : "";
}

Alarms::Changes Alarms::on_bulletin(const catalog::NodeName& member, std::string_view text) {
  Changes changes;
  note(changes, "memory", member, text.find("memory") != std::string_view::npos);
  note(changes, "disk", member, text.find("disk") != std::string_view::npos);
  return changes;
}

void Alarms::forget_others() {
  std::erase_if(all_, [&](const Alarm& alarm) { return alarm.second != self_; });
}

std::string Alarms::reason() const {
  const bool is_short_of_memory = is_short_of("memory");
  const bool is_short_of_disk = is_short_of("disk");
  if (is_short_of_memory && is_short_of_disk) return "low on disk & memory";
  if (is_short_of_memory) return "low on memory";
  return is_short_of_disk ? "low on disk" : "";
}

void Alarms::note(Changes& changes, const char* resource, const catalog::NodeName& node,
                  bool is_set) {
  const bool has_changed = is_set ? all_.emplace(resource, node).second
                                  : all_.erase({resource, node}) > 0;
  if (has_changed) changes.push_back({resource, node, is_set, !is_set && !is_short_of(resource)});
}

bool Alarms::is_short_of(std::string_view resource) const {
  return std::ranges::any_of(all_, [&](const Alarm& alarm) { return alarm.first == resource; });
}

}  // namespace warren::server
