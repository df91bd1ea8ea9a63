// What a node and its cluster look like: facts, which the command line arranges.
#include <fmt/format.h>

#include <algorithm>

#include "management/cluster_facts.h"
#include "management/command_call.h"
#include "management/queue_facts.h"
#include "management/reports.h"

namespace warren::management {
namespace {

constexpr ReportParts process_only{false, false, false, true};

void cluster_status(const CommandCall& call) {
  gather_reports(*call.operations, process_only,
                 [call](const std::vector<NodeReport>& reports) {
                   if (!call.operations->gateway())
                     return call.reply(error_reply(64, "app_stopped", "stopped meanwhile"));
                   call.reply(value_reply(cluster_facts(*call.operations, reports)));
                 });
}

JsonObject memory_facts(const ProcessInfo& process) {
  return {{"other_system", process.memory_used},
          {"strategy", "rss"},
          {"total",
           JsonObject{{"erlang", process.memory_used},
                      {"rss", process.memory_used},
                      {"allocated", process.memory_used}}}};
}

JsonArray texts(const std::vector<std::string>& list) {
  JsonArray array;
  for (const std::string& text : list) array.push_back(text_json(text));
  return array;
}

Json watermark_facts(const ProcessInfo& process) {
  if (process.memory_watermark > 0) return JsonObject{{"relative", process.memory_watermark}};
  return JsonObject{{"absolute", process.memory_limit}};
}

void status(const CommandCall& call) {
  Operations& operations = *call.operations;
  const ProcessInfo process = operations.process_info();
  JsonArray plugins;
  for (const PluginInfo& plugin : process.plugins)
    if (plugin.is_running) plugins.push_back(text_json(plugin.name));
  const catalog::Catalog& catalog = call.catalog();
  JsonObject facts;
  facts["active_plugins"] = std::move(plugins);
  facts["alarms"] = alarm_facts(process.alarms);
  facts["config_files"] = texts(process.config_files);
  facts["crypto_lib_version"] = "OpenSSL 3";
  facts["data_directory"] = text_json(process.data_directory);
  facts["disk_free"] = process.disk_free;
  facts["disk_free_limit"] = process.disk_free_limit;
  facts["enabled_plugin_file"] = text_json(process.enabled_plugins_file);
  facts["erlang_version"] = runtime_text();
  facts["file_descriptors"] = JsonObject{{"sockets_limit", process.sockets_limit},
                                         {"sockets_used", process.sockets_used},
                                         {"total_limit", process.fd_limit},
                                         {"total_used", process.fd_used}};
  facts["is_under_maintenance"] = false;
  facts["listeners"] = listener_facts(operations.node_name(), process.listeners);
  facts["log_files"] = texts(process.log_files);
  facts["memory"] = memory_facts(process);
  facts["net_ticktime"] = 60;
  facts["os"] = "Linux";
  facts["pid"] = process.os_pid;
  facts["processes"] = JsonObject{{"limit", 1048576}, {"used", 1}};
  facts["product_name"] = "Warren";
  facts["product_version"] = "";
  facts["rabbitmq_version"] = compatible_version;
  facts["raft_data_directory"] = text_json(process.data_directory);
  facts["release_series_support_status"] = "supported";
  facts["run_queue"] = 0;
  facts["totals"] = JsonObject{{"virtual_host_count", catalog.vhosts().size()},
                               {"connection_count", operations.connections().size()},
                               {"queue_count", operations.led_queues().size()}};
  facts["uptime"] = process.uptime_ms / 1000;
  facts["vm_memory_calculation_strategy"] = "rss";
  facts["vm_memory_high_watermark_limit"] = process.memory_limit;
  facts["vm_memory_high_watermark_setting"] = watermark_facts(process);
  call.reply(value_reply({{"node", text_json(operations.node_name())},
                          {"facts", std::move(facts)}}));
}

void listeners(const CommandCall& call) {
  Operations& operations = *call.operations;
  call.reply(value_reply(
      {{"listeners",
        listener_facts(operations.node_name(), operations.process_info().listeners)},
       {"node", text_json(operations.node_name())},
       {"result", "ok"}}));
}

void plugins(const CommandCall& call) {
  JsonArray running;
  for (const PluginInfo& plugin : call.operations->process_info().plugins)
    if (plugin.is_running) running.push_back(text_json(plugin.name));
  call.reply(value_reply({{"running", std::move(running)}}));
}

void list_feature_flags(const CommandCall& call) {
  JsonArray rows;
  for (const Json& flag : feature_flag_facts())
    rows.push_back(JsonArray{text_json(member_text(flag.get_object(), "name")),
                             atom_cell(member_text(flag.get_object(), "state"))});
  call.reply(rows_reply({"name", "state"}, std::move(rows)));
}

/// {"share": 0.4} or {"bytes": 1000000}.
Threshold read_threshold(const CommandCall& call) {
  Threshold threshold;
  threshold.is_absolute = call.options.contains("bytes");
  threshold.bytes = member_unsigned(call.options, "bytes");
  if (const Json* share = call.options.if_contains("share"); share && share->is_double())
    threshold.share = share->get_double();
  return threshold;
}

void set_memory_watermark(const CommandCall& call) {
  call.operations->set_memory_watermark(read_threshold(call));
  call.reply(ok_reply());
}

void set_disk_free_limit(const CommandCall& call) {
  call.operations->set_disk_free_limit(read_threshold(call));
  call.reply(ok_reply());
}

constexpr CommandEntry entries[] = {
    {"cluster_status", AppNeed::running, 0, cluster_status},
    {"status", AppNeed::running, 0, status},
    {"listeners", AppNeed::running, 0, listeners},
    {"running_plugins", AppNeed::any, 0, plugins},
    {"list_feature_flags", AppNeed::running, 0, list_feature_flags},
    {"set_vm_memory_high_watermark", AppNeed::any, 0, set_memory_watermark},
    {"set_disk_free_limit", AppNeed::any, 0, set_disk_free_limit},
};

}  // namespace

std::span<const CommandEntry> status_commands() { return entries; }

}  // namespace warren::management
