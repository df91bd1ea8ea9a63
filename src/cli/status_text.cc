#include "cli/status_text.h"

#include <fmt/format.h>

#include "cli/cluster_status.h"
#include "cli/formatter.h"

namespace warren::cli {
namespace {

using management::Json;
using management::JsonArray;
using management::JsonObject;
using management::member_text;
using management::member_unsigned;

const JsonObject& map(const JsonObject& facts, const char* name) {
  static const JsonObject none;
  const Json* found = facts.if_contains(name);
  return found && found->is_object() ? found->get_object() : none;
}

const JsonArray& list(const JsonObject& facts, const char* name) {
  static const JsonArray none;
  const Json* found = facts.if_contains(name);
  return found && found->is_array() ? found->get_array() : none;
}

void begin(std::string& out, std::string_view title) {
  if (!out.empty()) out += '\n';
  out += bold(title) + "\n\n";
}

template <typename Value>
void fact(std::string& out, std::string_view name, const Value& value) {
  out += fmt::format("{}: {}\n", name, value);
}

void bullets(std::string& out, const JsonArray& items) {
  for (const Json& item : items)
    if (item.is_string())
      out += fmt::format(" * {}\n", management::text_of(item.get_string()));
}

void write_runtime(std::string& out, const std::string& node, const JsonObject& facts) {
  begin(out, "Runtime");
  fact(out, "OS PID", member_unsigned(facts, "pid"));
  fact(out, "OS", member_text(facts, "os"));
  fact(out, "Uptime (seconds)", member_unsigned(facts, "uptime"));
  fact(out, "Is under maintenance?", "false");
  fact(out, "RabbitMQ version", member_text(facts, "rabbitmq_version"));
  fact(out, "Node name", node);
  fact(out, "Erlang configuration", member_text(facts, "erlang_version"));
  fact(out, "Cluster heartbeat timeout (net_ticktime)", member_unsigned(facts, "net_ticktime"));
}

void write_memory(std::string& out, const JsonObject& facts, std::string_view unit) {
  begin(out, "Memory");
  const double used =
      static_cast<double>(member_unsigned(map(map(facts, "memory"), "total"), "rss"));
  const double limit =
      static_cast<double>(member_unsigned(facts, "vm_memory_high_watermark_limit"));
  fact(out, "Total memory used", size_text(used, unit));
  fact(out, "Calculation strategy", member_text(facts, "vm_memory_calculation_strategy"));
  const Json* relative = map(facts, "vm_memory_high_watermark_setting").if_contains("relative");
  if (relative && relative->is_double())
    fact(out, "Memory high watermark setting",
         fmt::format("{} of available memory, computed to: {}", relative->get_double(),
                     size_text(limit, unit)));
  else
    fact(out, "Memory high watermark setting",
         fmt::format("{0}, computed to: {0}", size_text(limit, unit)));
}

}  // namespace

std::string size_text(double bytes, std::string_view unit) {
  if (unit == "bytes") return fmt::format("{:.0f} bytes", bytes);
  const double divisor = unit == "mb" ? 1e6 : unit == "kb" ? 1e3 : unit == "tb" ? 1e12 : 1e9;
  std::string number = fmt::format("{:.4f}", bytes / divisor);
  while (number.ends_with('0') && !number.ends_with(".0")) number.pop_back();
  return fmt::format("{} {}", number, unit);
}

std::string status_text(const std::string& node, const JsonObject& facts, std::string_view unit) {
  std::string out;
  write_runtime(out, node, facts);
  begin(out, "Plugins");
  fact(out, "Enabled plugin file", member_text(facts, "enabled_plugin_file"));
  out += "Enabled plugins:\n\n";
  bullets(out, list(facts, "active_plugins"));
  begin(out, "Data directory");
  fact(out, "Node data directory", member_text(facts, "data_directory"));
  fact(out, "Raft data directory", member_text(facts, "raft_data_directory"));
  begin(out, "Config files");
  bullets(out, list(facts, "config_files"));
  begin(out, "Log file(s)");
  bullets(out, list(facts, "log_files"));
  begin(out, "Alarms");
  const std::vector<std::string> alarms = alarm_lines(facts);
  if (alarms.empty()) out += "(none)\n";
  for (const std::string& line : alarms) out += line + "\n";
  write_memory(out, facts, unit);
  const JsonObject& files = map(facts, "file_descriptors");
  begin(out, "File Descriptors");
  out += fmt::format("Total: {}, limit: {}\nSockets: {}, limit: {}\n",
                     member_unsigned(files, "total_used"), member_unsigned(files, "total_limit"),
                     member_unsigned(files, "sockets_used"),
                     member_unsigned(files, "sockets_limit"));
  begin(out, "Free Disk Space");
  fact(out, "Low free disk space watermark",
       size_text(static_cast<double>(member_unsigned(facts, "disk_free_limit")), unit));
  fact(out, "Free disk space",
       size_text(static_cast<double>(member_unsigned(facts, "disk_free")), unit));
  const JsonObject& totals = map(facts, "totals");
  begin(out, "Totals");
  fact(out, "Connection count", member_unsigned(totals, "connection_count"));
  fact(out, "Queue count", member_unsigned(totals, "queue_count"));
  fact(out, "Virtual host count", member_unsigned(totals, "virtual_host_count"));
  begin(out, "Listeners");
  for (const Json& listener : list(facts, "listeners"))
    if (const JsonObject* object = listener.if_object()) out += listener_line(*object) + "\n";
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

}  // namespace warren::cli
