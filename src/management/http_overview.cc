// /api/overview, /api/nodes and /api/cluster-name.
#include <fmt/format.h>

#include "management/cluster_facts.h"
#include "management/http_call.h"
#include "management/queue_facts.h"

namespace warren::management {
namespace {

struct Named {
  std::string_view name;
  std::string_view description;
};

constexpr Named mechanisms[] = {
    {"AMQPLAIN", "user and password in a field table"},
    {"PLAIN", "user and password"},
};

template <typename All>
JsonArray named_json(const All& all) {
  JsonArray list;
  for (const auto& one : all)
    list.push_back(JsonObject{{"name", text_json(one.name)},
                              {"description", text_json(one.description)},
                              {"enabled", true}});
  return list;
}

void add_total(JsonObject& object, const std::string& name, std::uint64_t value) {
  object[name] = value;
  object[name + "_details"] = no_rate();
}

/// "[::]" is a listener's interface on the command line, "::" here.
std::string bare_address(std::string_view interface) {
  if (interface.starts_with('[') && interface.ends_with(']'))
    interface = interface.substr(1, interface.size() - 2);
  return std::string(interface);
}

template <typename Visit>
void for_each_listener(const std::vector<NodeReport>& reports, Visit visit) {
  for (const NodeReport& report : reports) {
    const Json* list = report.object("process").if_contains("listeners");
    if (!list || !list->is_array()) continue;
    for (const Json& listener : list->get_array())
      if (const JsonObject* object = listener.if_object()) visit(report, *object);
  }
}

JsonArray listeners_json(const std::vector<NodeReport>& reports) {
  JsonArray list;
  for_each_listener(reports, [&](const NodeReport& report, const JsonObject& listener) {
    list.push_back(
        JsonObject{{"node", text_json(report.node)},
                   {"protocol", text_json(member_text(listener, "protocol"))},
                   {"ip_address", text_json(bare_address(member_text(listener, "interface")))},
                   {"port", member_unsigned(listener, "port")},
                   {"socket_opts", JsonArray{}}});
  });
  return list;
}

JsonArray contexts_json(const std::vector<NodeReport>& reports) {
  JsonArray list;
  for_each_listener(reports, [&](const NodeReport& report, const JsonObject& listener) {
    if (!member_text(listener, "protocol").starts_with("http")) return;
    list.push_back(
        JsonObject{{"ssl_opts", JsonArray{}},
                   {"node", text_json(report.node)},
                   {"description", "RabbitMQ Management"},
                   {"path", "/"},
                   {"cowboy_opts", "[]"},
                   {"port", text_json(fmt::format("{}", member_unsigned(listener, "port")))}});
  });
  return list;
}

JsonObject overview_json(const HttpCall& call, const std::vector<NodeReport>& reports) {
  const catalog::Catalog& catalog = call.catalog();
  std::uint64_t ready = 0, unacknowledged = 0, consumers = 0, connections = 0, channels = 0;
  std::uint64_t queues = 0, exchanges = 0;
  for (const QueueFacts& facts : collect_queue_facts(catalog, reports, std::nullopt)) {
    if (!call.sees_vhost(facts.queue->name.vhost)) continue;
    ready += facts.ready;
    unacknowledged += facts.unacknowledged;
    consumers += facts.consumers;
    ++queues;
  }
  for (const auto& [name, exchange] : catalog.exchanges())
    if (call.sees_vhost(name.vhost)) ++exchanges;
  for (const NodeReport& report : reports) {
    for (const Json& connection : report.list("connections"))
      if (const JsonObject* object = connection.if_object())
        connections += member_text(*object, "vhost").empty() ? 0 : 1;
    channels += report.list("channels").size();
  }
  JsonObject totals;
  add_total(totals, "messages", ready + unacknowledged);
  add_total(totals, "messages_ready", ready);
  add_total(totals, "messages_unacknowledged", unacknowledged);

  JsonObject object;
  object["management_version"] = compatible_version;
  object["rates_mode"] = "basic";
  object["exchange_types"] = named_json(call.operations->exchange_types().offered());
  object["product_version"] = compatible_version;
  object["product_name"] = "RabbitMQ";
  object["rabbitmq_version"] = compatible_version;
  object["cluster_name"] = text_json(cluster_name(*call.operations));
  object["erlang_version"] = compatible_erlang_version;
  object["erlang_full_version"] = text_json(runtime_text());
  object["release_series_support_status"] = "supported";
  object["disable_stats"] = false;
  object["enable_queue_totals"] = false;
  object["message_stats"] = JsonObject{};
  object["churn_rates"] = JsonObject{};
  object["queue_totals"] = std::move(totals);
  object["object_totals"] = JsonObject{{"channels", channels},
                                       {"connections", connections},
                                       {"consumers", consumers},
                                       {"exchanges", exchanges},
                                       {"queues", queues}};
  object["statistics_db_event_queue"] = 0;
  object["node"] = text_json(call.operations->node_name());
  if (call.power >= HttpPower::monitoring) {
    object["listeners"] = listeners_json(reports);
    object["contexts"] = contexts_json(reports);
  }
  return object;
}

void overview(const HttpCall& call) {
  constexpr ReportParts all{true, false, true, true};
  gather_reports(*call.operations, all, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway()) return call.answer_status(503);
    call.answer_json(overview_json(call, reports));
  });
}

Json member(const JsonObject& object, const char* name, Json otherwise) {
  const Json* found = object.if_contains(name);
  return found ? *found : otherwise;
}

void add_process(JsonObject& object, const JsonObject& process) {
  object["os_pid"] = text_json(fmt::format("{}", member_unsigned(process, "os_pid")));
  object["fd_total"] = member(process, "fd_limit", 0);
  object["fd_used"] = member(process, "fd_used", 0);
  object["sockets_total"] = member(process, "sockets_limit", 0);
  object["sockets_used"] = member(process, "sockets_used", 0);
  object["mem_limit"] = member(process, "memory_limit", 0);
  object["mem_used"] = member(process, "memory_used", 0);
  object["mem_alarm"] = member(process, "memory_alarm", false);
  object["disk_free"] = member(process, "disk_free", 0);
  object["disk_free_limit"] = member(process, "disk_free_limit", 0);
  object["disk_free_alarm"] = member(process, "disk_alarm", false);
  object["proc_total"] = 1048576;
  object["proc_used"] = 1;
  object["rates_mode"] = "basic";
  object["uptime"] = member(process, "uptime", 0);
  object["run_queue"] = 0;
  object["processors"] = member(process, "processors", 1);
  object["auth_mechanisms"] = named_json(mechanisms);
  object["applications"] = JsonArray{JsonObject{
      {"name", "rabbit"}, {"description", "Warren"}, {"version", compatible_version}}};
  object["log_files"] = member(process, "log_files", JsonArray{});
  object["db_dir"] = member(process, "data_directory", "");
  object["config_files"] = member(process, "config_files", JsonArray{});
  object["net_ticktime"] = 60;
  object["enabled_plugins"] = member(process, "plugins", JsonArray{});
  object["mem_calculation_strategy"] = "rss";
  object["being_drained"] = false;
  object["cluster_links"] = JsonArray{};
  object["metrics_gc_queue_length"] = JsonObject{};
}

JsonObject node_json(const HttpCall& call, const catalog::Node& node,
                     const std::vector<NodeReport>& reports) {
  JsonObject object;
  object["partitions"] = JsonArray{};
  if (node.name == call.operations->node_name())
    object["partitions"] = texts_json(call.operations->partitioned_members());
  bool is_running = false;
  for (const NodeReport& report : reports) {
    if (report.node != node.name || !report.report.is_object()) continue;
    is_running = true;
    add_process(object, report.object("process"));
    object["exchange_types"] = named_json(call.operations->exchange_types().offered());
    object["contexts"] = contexts_json({report});
  }
  object["name"] = text_json(node.name);
  object["type"] = node.kind == catalog::NodeKind::ram ? "ram" : "disc";
  object["running"] = is_running;
  return object;
}

constexpr ReportParts process_only{false, false, false, true};

void list_nodes(const HttpCall& call) {
  gather_reports(*call.operations, process_only, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway()) return call.answer_status(503);
    JsonArray list;
    for (const auto& [name, node] : call.catalog().nodes())
      list.push_back(node_json(call, node, reports));
    call.answer_list(std::move(list));
  });
}

void show_node(const HttpCall& call) {
  // Clients of RabbitMQ know 500 for a name that is no member's.
  if (!call.catalog().find_node(call.path[0])) return call.answer_status(500);
  gather_reports(*call.operations, process_only, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway()) return call.answer_status(503);
    const catalog::Node* node = call.catalog().find_node(call.path[0]);
    if (!node) return call.answer_status(500);
    call.answer_json(node_json(call, *node, reports));
  });
}

void show_cluster_name(const HttpCall& call) {
  call.answer_json(JsonObject{{"name", text_json(cluster_name(*call.operations))}});
}

void put_cluster_name(const HttpCall& call) {
  auto body = call.object_body({"name"});
  if (!body) return;
  call.propose(catalog::SetGlobalParameter{"cluster_name", member_text(*body, "name")}, 204);
}

void feature_flags(const HttpCall& call) { call.answer_list(feature_flag_facts()); }
void extensions(const HttpCall& call) { call.answer_json(JsonArray{}); }

constexpr HttpRoute entries[] = {
    {"GET", "overview", HttpPower::management, overview},
    {"GET", "nodes", HttpPower::monitoring, list_nodes},
    {"GET", "nodes/*", HttpPower::monitoring, show_node},
    {"GET", "cluster-name", HttpPower::management, show_cluster_name},
    {"PUT", "cluster-name", HttpPower::administrator, put_cluster_name},
    {"GET", "feature-flags", HttpPower::management, feature_flags},
    {"GET", "extensions", HttpPower::management, extensions},
};

}  // namespace

std::span<const HttpRoute> overview_routes() { return entries; }

}  // namespace warren::management
