// Looks after memory and disk space, and holds publishers back while a member is short of them.
#include <algorithm>

#include "base/log.h"
#include "net/mailbox.h"
#include "server/node_process.h"
#include "server/process_facts.h"

namespace warren::server {
namespace {

constexpr std::chrono::milliseconds longest_pause(2500);
constexpr std::chrono::milliseconds shortest_pause(100);
/// How fast a disk may fill up between two looks at it.
constexpr std::uint64_t disk_bytes_per_ms = 250'000;
const std::string bulletin_key = "alarms";

std::uint64_t bytes_of(const management::Threshold& threshold, std::uint64_t otherwise) {
  if (threshold.is_absolute) return threshold.bytes;
  const std::uint64_t total = total_memory_bytes();
  if (total == 0) return otherwise;
  return static_cast<std::uint64_t>(threshold.share * static_cast<double>(total));
}

/// Near the limit it is looked at often.
base::Duration pause_before_disk_is_full(std::uint64_t free, std::uint64_t limit) {
  const std::uint64_t distance = free > limit ? free - limit : limit - free;
  const std::chrono::milliseconds pause(
      std::min<std::uint64_t>(distance / disk_bytes_per_ms, longest_pause.count()));
  return std::max(pause, shortest_pause);
}

}  // namespace

void NodeProcess::begin_alarms() {
  const Configuration& configuration = settings_.configuration;
  memory_watermark_ = {configuration.memory_watermark_bytes > 0, configuration.memory_watermark,
                       configuration.memory_watermark_bytes};
  alarms_.set_memory_limit(bytes_of(memory_watermark_, UINT64_MAX));
  alarms_.set_disk_free_limit(
      bytes_of({configuration.disk_free_share == 0, configuration.disk_free_share,
                configuration.disk_free_limit},
               configuration.disk_free_limit));
}

void NodeProcess::set_memory_watermark(const management::Threshold& threshold) {
  memory_watermark_ = threshold;
  alarms_.set_memory_limit(bytes_of(threshold, UINT64_MAX));
  base::log_info("Memory high watermark set to {} bytes", alarms_.memory_limit());
  look_at_resources();
}

void NodeProcess::set_disk_free_limit(const management::Threshold& threshold) {
  alarms_.set_disk_free_limit(bytes_of(threshold, alarms_.disk_free_limit()));
  base::log_info("Disk free limit set to {} bytes", alarms_.disk_free_limit());
  look_at_resources();
}

void NodeProcess::check_alarms(base::Time now) {
  const bool is_news = application_.is_disk_short() && !alarms_.disk();
  if (now >= next_alarm_check_ || is_news) look_at_resources();
}

void NodeProcess::look_at_resources() {
  const std::uint64_t used = resident_bytes();
  const std::uint64_t free = free_disk_bytes(settings_.environment.data_dir);
  const bool is_full = application_.is_disk_short();
  next_alarm_check_ =
      shard_.now() + pause_before_disk_is_full(free, alarms_.disk_free_limit());
  // Publishers go on when there is room for a reserve again, and more than the limit besides.
  if (is_full && free > FileDisk::reserve_bytes &&
      free - FileDisk::reserve_bytes > alarms_.disk_free_limit())
    application_.keep_disk_reserve();
  const Alarms::Changes changes = alarms_.check(used, free, is_full);
  for (const AlarmChange& change : changes) {
    if (change.resource == "memory")
      base::log_info("vm_memory_high_watermark {}. Memory used:{} allowed:{}",
                     change.is_set ? "set" : "clear", used, alarms_.memory_limit());
    else
      base::log_info("Free disk space is {}. Free bytes: {}. Limit: {}",
                     change.is_set ? "insufficient" : "sufficient", free,
                     alarms_.disk_free_limit());
  }
  on_alarm_changes(changes);
}

void NodeProcess::on_bulletin(const catalog::NodeName& member, const std::string& key,
                              base::ByteView text) {
  if (key == bulletin_key) on_alarm_changes(alarms_.on_bulletin(member, text));
}

void NodeProcess::on_alarm_changes(const Alarms::Changes& changes) {
  for (const AlarmChange& change : changes) {
    if (change.is_set) {
      base::log_warning(
          "{} resource limit alarm set on node '{}'.\n\n"
          "**********************************************************\n"
          "*** Publishers will be blocked until this alarm clears ***\n"
          "**********************************************************",
          change.resource, change.node);
      continue;
    }
    base::log_warning("{} resource limit alarm cleared on node '{}'", change.resource, change.node);
    if (change.is_last)
      base::log_warning("{} resource limit alarm cleared across the cluster", change.resource);
  }
  if (!changes.empty()) publish_alarms();
}

/// Tells the other members and the clients how it stands.
void NodeProcess::publish_alarms() {
  if (cluster::Node* node = running_node()) node->post(bulletin_key, alarms_.bulletin());
  AmqpClients* clients = application_.clients();
  if (!clients) return;
  if (alarms_.any())
    clients->set_blocked(alarms_.reason());
  else
    clients->set_unblocked();
  // What they have to be told goes out with the next turn.
  shard_.mailbox()->post([] {});
}

}  // namespace warren::server
