#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/names.h"

namespace warren::server {

/// An alarm that came or went: "memory" or "disk" runs short on a member.
struct AlarmChange {
  std::string resource;
  catalog::NodeName node;
  bool is_set = false;
  bool is_last = false;  ///< nowhere in the cluster the resource runs short any more
  bool operator==(const AlarmChange&) const = default;
};

/// Which members are short of memory or of disk space. Publishers are held back on every node
/// while one of them is.
class Alarms {
 public:
  using Changes = std::vector<AlarmChange>;
  /// The resource, and who runs short of it.
  using Alarm = std::pair<std::string, catalog::NodeName>;

  explicit Alarms(catalog::NodeName self) : self_(std::move(self)) {}

  /// In bytes. More memory than the limit alarms, and less disk space than its.
  void set_memory_limit(std::uint64_t bytes) { memory_limit_ = bytes; }
  void set_disk_free_limit(std::uint64_t bytes) { disk_free_limit_ = bytes; }
  std::uint64_t memory_limit() const { return memory_limit_; }
  std::uint64_t disk_free_limit() const { return disk_free_limit_; }

  /// Looks at this node. A full disk is an alarm whatever the limit.
  Changes check(std::uint64_t memory_used, std::uint64_t disk_free, bool is_disk_full);
  /// What this node lets the others know: the resources it is short of, with blanks between.
  std::string bulletin() const;
  /// The same of another member, or nothing when it is gone.
  Changes on_bulletin(const catalog::NodeName& member, std::string_view text);

  /// The application stops, and with it all links.
  void forget_others();

  bool memory() const { return all_.contains({"memory", self_}); }
  bool disk() const { return all_.contains({"disk", self_}); }
  bool any() const { return !all_.empty(); }
  const std::set<Alarm>& all() const { return all_; }
  /// What blocked clients are told: "low on disk & memory".
  std::string reason() const;

 private:
  void note(Changes& changes, const char* resource, const catalog::NodeName& node, bool is_set);
  bool is_short_of(std::string_view resource) const;

  catalog::NodeName self_;
  std::uint64_t memory_limit_ = UINT64_MAX;
  std::uint64_t disk_free_limit_ = 0;
  std::set<Alarm> all_;
};

}  // namespace warren::server
