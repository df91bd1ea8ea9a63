#include "management/reports.h"

#include <algorithm>
#include <memory>

namespace warren::management {
namespace {

JsonObject consumer_json(const broker::ConsumerInfo& consumer) {
  return {{"channel", consumer.channel.value},
          {"consumer_tag", text_json(consumer.consumer_tag)},
          {"ack_required", !consumer.no_ack},
          {"exclusive", consumer.exclusive},
          {"prefetch_count", consumer.prefetch},
          {"unacknowledged", consumer.unacknowledged},
          {"active", consumer.is_active},
          {"activity_status", !consumer.is_active          ? "waiting"
                              : consumer.is_single_active ? "single_active"
                                                          : "up"},
          {"arguments", table_json(consumer.arguments)},
          {"typed_arguments", typed_table_json(consumer.arguments)}};
}

JsonArray queues_json(Operations& operations, bool with_consumers) {
  JsonArray list;
  for (const cluster::QueueStatus& status : operations.led_queues()) {
    JsonObject queue{{"id", status.queue.value},
                     {"ready", status.counts.ready},
                     {"unacknowledged", status.counts.unacknowledged},
                     {"consumers", status.counts.consumers},
                     {"ready_bytes", status.counts.ready_bytes},
                     {"unacknowledged_bytes", status.counts.unacknowledged_bytes}};
    if (with_consumers) {
      JsonArray consumers;
      for (const broker::ConsumerInfo& consumer : status.consumers)
        consumers.push_back(consumer_json(consumer));
      queue["consumer_list"] = std::move(consumers);
    }
    list.push_back(std::move(queue));
  }
  return list;
}

/// What TLS adds; empty texts where there is none, as listings show it.
void add_tls(JsonObject& object, const session::amqp091::TlsPeer* tls) {
  static const session::amqp091::TlsPeer none;
  object["ssl"] = tls != nullptr;
  if (!tls) tls = &none;
  object["ssl_protocol"] = text_json(tls->ssl_protocol);
  object["ssl_key_exchange"] = text_json(tls->ssl_key_exchange);
  object["ssl_cipher"] = text_json(tls->ssl_cipher);
  object["ssl_hash"] = text_json(tls->ssl_hash);
  object["peer_cert_subject"] = text_json(tls->peer_cert_subject);
  object["peer_cert_issuer"] = text_json(tls->peer_cert_issuer);
  object["peer_cert_validity"] = text_json(tls->peer_cert_validity);
}

JsonObject connection_json(const ConnectionInfo& connection, std::int64_t connected_at_ms) {
  JsonObject object{{"id", connection.id.value},
          {"name", text_json(connection.name)},
          {"user_provided_name", text_json(connection.user_provided_name)},
          {"host", text_json(connection.peer.local_host)},
          {"port", connection.peer.local_port},
          {"peer_host", text_json(connection.peer.peer_host)},
          {"peer_port", connection.peer.peer_port},
          {"protocol", text_json(connection.protocol)},
          {"auth_mechanism", text_json(connection.auth_mechanism)},
          {"user", text_json(connection.user)},
          {"vhost", text_json(connection.vhost)},
          {"state", text_json(connection.state)},
          {"timeout", connection.timeout_s},
          {"frame_max", connection.frame_max},
          {"channel_max", connection.channel_max},
          {"channels", connection.channels},
          {"recv_oct", connection.recv_oct},
          {"recv_cnt", connection.recv_cnt},
          {"send_oct", connection.send_oct},
          {"send_cnt", connection.send_cnt},
          {"send_pend", connection.send_pend},
          {"connected_at", connected_at_ms},
          {"client_properties", table_json(connection.client_properties)},
          {"typed_client_properties", typed_table_json(connection.client_properties)}};
  add_tls(object, connection.peer.tls.get());
  return object;
}

JsonObject channel_json(const ChannelInfo& channel) {
  return {{"id", channel.id.value},
          {"connection", channel.connection.value},
          {"name", text_json(channel.name)},
          {"number", channel.number},
          {"user", text_json(channel.user)},
          {"vhost", text_json(channel.vhost)},
          {"transactional", channel.transactional},
          {"confirm", channel.confirm},
          {"consumer_count", channel.consumer_count},
          {"messages_unacknowledged", channel.messages_unacknowledged},
          {"messages_uncommitted", channel.messages_uncommitted},
          {"acks_uncommitted", channel.acks_uncommitted},
          {"messages_unconfirmed", channel.messages_unconfirmed},
          {"prefetch_count", channel.prefetch_count},
          {"global_prefetch_count", channel.global_prefetch_count},
          {"state", text_json(channel.state)}};
}

JsonArray texts_json(const std::vector<std::string>& texts) {
  JsonArray list;
  for (const std::string& text : texts) list.push_back(text_json(text));
  return list;
}

JsonObject process_json(const ProcessInfo& process) {
  JsonArray listeners;
  for (const ListenerInfo& listener : process.listeners)
    listeners.push_back(JsonObject{{"interface", text_json(listener.interface)},
                                   {"port", listener.port},
                                   {"protocol", text_json(listener.protocol)}});
  JsonArray plugins;
  for (const PluginInfo& plugin : process.plugins)
    if (plugin.is_running) plugins.push_back(text_json(plugin.name));
  return {{"os_pid", process.os_pid},
          {"uptime", process.uptime_ms},
          {"processors", process.processors},
          {"memory_used", process.memory_used},
          {"memory_limit", process.memory_limit},
          {"memory_watermark", process.memory_watermark},
          {"memory_alarm", process.memory_alarm},
          {"disk_free", process.disk_free},
          {"disk_free_limit", process.disk_free_limit},
          {"disk_alarm", process.disk_alarm},
          {"fd_used", process.fd_used},
          {"fd_limit", process.fd_limit},
          {"sockets_used", process.sockets_used},
          {"sockets_limit", process.sockets_limit},
          {"data_directory", text_json(process.data_directory)},
          {"log_files", texts_json(process.log_files)},
          {"config_files", texts_json(process.config_files)},
          {"enabled_plugins_file", text_json(process.enabled_plugins_file)},
          {"listeners", std::move(listeners)},
          {"plugins", std::move(plugins)}};
}

base::Bytes encode_request(const ReportParts& parts) {
  return print_json(JsonObject{{"report",
                                JsonObject{{"queues", parts.queues},
                                           {"consumers", parts.consumers},
                                           {"clients", parts.clients},
                                           {"process", parts.process}}}});
}

/// Waits for the answers of one gathering.
struct Gathering {
  std::vector<NodeReport> reports;
  std::size_t waiting = 0;
  std::function<void(std::vector<NodeReport>)> done;

  void finish() {
    if (auto call = std::exchange(done, nullptr)) call(std::move(reports));
  }
};

}  // namespace

const JsonArray& NodeReport::list(std::string_view name) const {
  static const JsonArray none;
  const JsonObject* object = report.if_object();
  const Json* found = object ? object->if_contains({name.data(), name.size()}) : nullptr;
  return found && found->is_array() ? found->get_array() : none;
}

const JsonObject& NodeReport::object(std::string_view name) const {
  static const JsonObject none;
  const JsonObject* object = report.if_object();
  const Json* found = object ? object->if_contains({name.data(), name.size()}) : nullptr;
  return found && found->is_object() ? found->get_object() : none;
}

JsonObject make_report(Operations& operations, const ReportParts& parts) {
  JsonObject report;
  if (parts.queues || parts.consumers)
    report["queues"] = queues_json(operations, parts.consumers);
  if (parts.clients) {
    JsonArray connections, channels;
    const base::Time now = operations.now();
    const std::int64_t wall_ms = operations.wall_clock_ms();
    for (const ConnectionInfo& connection : operations.connections()) {
      const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(
          now - connection.connected_at);
      connections.push_back(connection_json(connection, wall_ms - age.count()));
    }
    for (const ChannelInfo& channel : operations.channels())
      channels.push_back(channel_json(channel));
    report["connections"] = std::move(connections);
    report["channels"] = std::move(channels);
  }
  if (parts.process) report["process"] = process_json(operations.process_info());
  return report;
}

void gather_reports(Operations& operations, const ReportParts& parts,
                    std::function<void(std::vector<NodeReport>)> done) {
  std::vector<catalog::NodeName> members = operations.running_members();
  if (std::ranges::find(members, operations.node_name()) == members.end())
    members.push_back(operations.node_name());
  std::ranges::sort(members);
  gather_reports(operations, members, parts, std::move(done));
}

void gather_reports(Operations& operations, const std::vector<catalog::NodeName>& members,
                    const ReportParts& parts,
                    std::function<void(std::vector<NodeReport>)> done) {
  auto gathering = std::make_shared<Gathering>();
  gathering->done = std::move(done);
  for (const catalog::NodeName& member : members) {
    const bool is_self = member == operations.node_name();
    gathering->reports.push_back(
        {member, is_self ? Json(make_report(operations, parts)) : Json(nullptr)});
    if (!is_self) ++gathering->waiting;
  }
  if (gathering->waiting == 0) return gathering->finish();
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i] == operations.node_name()) continue;
    operations.query(members[i], encode_request(parts),
                     [gathering, i](base::Result<base::Bytes> answer) {
                       if (!gathering->done) return;
                       if (answer)
                         if (auto report = parse_json(*answer); report && report->is_object())
                           gathering->reports[i].report = std::move(*report);
                       if (--gathering->waiting == 0) gathering->finish();
                     });
  }
  operations.after(report_deadline, [gathering] { gathering->finish(); });
}

base::Bytes answer_query(Operations& operations, base::ByteView request) {
  auto parsed = parse_json(request);
  if (!parsed || !parsed->is_object()) return {};
  const JsonObject& object = parsed->get_object();
  if (const Json* wanted = object.if_contains("report"); wanted && wanted->is_object()) {
    const JsonObject& names = wanted->get_object();
    ReportParts parts;
    parts.queues = member_bool(names, "queues");
    parts.consumers = member_bool(names, "consumers");
    parts.clients = member_bool(names, "clients");
    parts.process = member_bool(names, "process");
    return print_json(make_report(operations, parts));
  }
  if (object.contains("close_connection")) {
    const catalog::ConnectionId connection{member_unsigned(object, "close_connection")};
    const bool closed = operations.close_connection(connection, member_text(object, "reason"));
    return print_json(JsonObject{{"closed", closed}});
  }
  if (object.contains("sync_queue")) {
    operations.sync_queue(catalog::QueueId{member_unsigned(object, "sync_queue")},
                          [](base::Result<>) {});
    return print_json(JsonObject{});
  }
  return {};
}

void close_connection_on(Operations& operations, const catalog::NodeName& member,
                         catalog::ConnectionId connection, const std::string& reason,
                         Operations::Done done) {
  base::Bytes request = print_json(JsonObject{
      {"close_connection", connection.value}, {"reason", text_json(reason)}});
  operations.query(member, std::move(request), [done](base::Result<base::Bytes> answer) {
    if (!answer) return done(std::unexpected(answer.error()));
    auto parsed = parse_json(*answer);
    if (parsed && parsed->is_object() && member_bool(parsed->get_object(), "closed"))
      return done({});
    done(base::fail(base::ErrorCode::not_found, "no such connection"));
  });
}

}  // namespace warren::management
