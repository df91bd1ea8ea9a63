#include "management/cluster_facts.h"

#include <map>

namespace warren::management {
namespace {

struct Flag {
  std::string_view name;
  std::string_view what;
  std::string_view provider;
  std::string_view guide;
};

constexpr Flag flags[] = {
    {"classic_mirrored_queue_version", "Mirrored queues with a version", "rabbit", ""},
    {"drop_unroutable_metric", "Statistics of dropped publishes", "rabbitmq_management_agent", ""},
    {"empty_basic_get_metric", "Statistics of gets on empty queues", "rabbitmq_management_agent",
     ""},
    {"implicit_default_bindings", "Default bindings follow from the queues", "rabbit", ""},
    {"maintenance_mode_status", "Nodes under maintenance", "rabbit", ""},
    {"quorum_queue", "Queues of type quorum", "rabbit",
     "https://www.rabbitmq.com/quorum-queues.html"},
    {"stream_queue", "Queues of type stream", "rabbit", "https://www.rabbitmq.com/stream.html"},
    {"user_limits", "Limits on connections and channels of a user", "rabbit", ""},
    {"virtual_host_metadata", "Descriptions and tags of virtual hosts", "rabbit", ""},
};

JsonArray texts(const std::vector<catalog::NodeName>& names) {
  JsonArray list;
  for (const catalog::NodeName& name : names) list.push_back(text_json(name));
  return list;
}

std::vector<ListenerInfo> reported_listeners(const NodeReport& report) {
  std::vector<ListenerInfo> listeners;
  const Json* list = report.object("process").if_contains("listeners");
  if (!list || !list->is_array()) return listeners;
  for (const Json& row : list->get_array())
    if (const JsonObject* object = row.if_object())
      listeners.push_back({member_text(*object, "interface"),
                           static_cast<std::uint16_t>(member_unsigned(*object, "port")),
                           member_text(*object, "protocol")});
  return listeners;
}

JsonObject version_facts() {
  return {{"erlang_version", compatible_erlang_version},
          {"rabbitmq_name", "RabbitMQ"},
          {"rabbitmq_version", compatible_version}};
}

}  // namespace

JsonObject cluster_facts(Operations& operations, const std::vector<NodeReport>& reports) {
  const catalog::Catalog& catalog = operations.gateway()->catalog();
  JsonArray alarms, disc, ram, running;
  JsonObject listeners, maintenance, versions, partitions;
  for (const auto& [name, node] : catalog.nodes())
    (node.kind == catalog::NodeKind::ram ? ram : disc).push_back(text_json(name));
  for (const NodeReport& report : reports) {
    running.push_back(text_json(report.node));
    maintenance[report.node] = "not under maintenance";
    versions[report.node] = version_facts();
    listeners[report.node] = listener_facts(report.node, reported_listeners(report));
    const JsonObject& process = report.object("process");
    for (Json& alarm : alarm_facts(report.node, member_bool(process, "memory_alarm"),
                                   member_bool(process, "disk_alarm")))
      alarms.push_back(std::move(alarm));
  }
  if (auto cut_off = operations.partitioned_members(); !cut_off.empty())
    partitions[operations.node_name()] = texts(cut_off);
  return {{"alarms", std::move(alarms)},
          {"cluster_name", text_json(cluster_name(operations))},
          {"disk_nodes", std::move(disc)},
          {"feature_flags", feature_flag_facts()},
          {"listeners", std::move(listeners)},
          {"maintenance_status", std::move(maintenance)},
          {"partitions", std::move(partitions)},
          {"ram_nodes", std::move(ram)},
          {"running_nodes", std::move(running)},
          {"versions", std::move(versions)}};
}

std::string cluster_name(Operations& operations) {
  const std::string_view set = operations.gateway()->catalog().global_parameter("cluster_name");
  return set.empty() ? operations.node_name() : std::string(set);
}

JsonArray listener_facts(const catalog::NodeName& node,
                         const std::vector<ListenerInfo>& listeners) {
  JsonArray list;
  for (const ListenerInfo& listener : listeners)
    list.push_back(JsonObject{{"interface", text_json(listener.interface)},
                              {"node", text_json(node)},
                              {"port", listener.port},
                              {"protocol", text_json(listener.protocol)},
                              {"purpose", text_json(protocol_purpose(listener.protocol))}});
  return list;
}

JsonArray alarm_facts(const catalog::NodeName& node, bool memory, bool disk) {
  JsonArray alarms;
  auto add = [&](const char* resource) {
    alarms.push_back(JsonObject{{"node", text_json(node)}, {"resource", resource}});
  };
  if (memory) add("memory");
  if (disk) add("disk");
  return alarms;
}

JsonArray alarm_facts(const std::vector<AlarmInfo>& alarms) {
  JsonArray list;
  for (const AlarmInfo& alarm : alarms)
    list.push_back(JsonObject{{"node", text_json(alarm.node)},
                              {"resource", text_json(alarm.resource)}});
  return list;
}

JsonArray feature_flag_facts() {
  JsonArray list;
  for (const Flag& flag : flags)
    list.push_back(JsonObject{{"desc", text_json(flag.what)},
                              {"doc_url", text_json(flag.guide)},
                              {"name", text_json(flag.name)},
                              {"provided_by", text_json(flag.provider)},
                              {"stability", "stable"},
                              {"state", "enabled"}});
  return list;
}

std::string_view runtime_text() { return "Erlang/OTP 25 [Warren] [64-bit]"; }

std::string_view protocol_purpose(std::string_view protocol) {
  static const std::map<std::string_view, std::string_view> purposes = {
      {"http", "HTTP API"},
      {"https", "HTTP API over TLS (HTTPS)"},
      {"clustering", "inter-node and CLI tool communication"},
      {"amqp", "AMQP 0-9-1 and AMQP 1.0"},
      {"amqp/ssl", "AMQP 0-9-1 and AMQP 1.0 over TLS"}};
  const auto found = purposes.find(protocol);
  return found == purposes.end() ? protocol : found->second;
}

}  // namespace warren::management
