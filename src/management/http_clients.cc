// /api/connections, /api/channels and /api/consumers.
#include <map>

#include "management/http_call.h"
#include "management/queue_facts.h"
#include "management/reports.h"

namespace warren::management {
namespace {

constexpr ReportParts clients_only{false, false, true, false};

using ReportsDone = std::function<void(const std::vector<NodeReport>&)>;

void with_clients(const HttpCall& call, ReportsDone done) {
  gather_reports(*call.operations, clients_only,
                 [call, done = std::move(done)](const std::vector<NodeReport>& reports) {
                   if (!call.operations->gateway()) return call.answer_status(503);
                   done(reports);
                 });
}

/// Own clients, those of everybody with monitoring, those of a vhost where one is asked for.
bool is_seen(const HttpCall& call, const JsonObject& client) {
  return call.power >= HttpPower::monitoring || member_text(client, "user") == call.user;
}

JsonObject connection_json(const NodeReport& report, const JsonObject& connection) {
  JsonObject object = connection;
  object.erase("id");
  object.erase("typed_client_properties");
  object["node"] = text_json(report.node);
  object["recv_oct_details"] = no_rate();
  object["send_oct_details"] = no_rate();
  object["ssl"] = false;
  object["type"] = "network";
  object["user_who_performed_action"] = object["user"];
  return object;
}

using Visit = std::function<void(const NodeReport&, const JsonObject&)>;

void for_each_client(const HttpCall& call, const std::vector<NodeReport>& reports,
                     std::string_view what, const Visit& visit) {
  for (const NodeReport& report : reports)
    for (const Json& client : report.list(what))
      if (const JsonObject* object = client.if_object(); object && is_seen(call, *object))
        visit(report, *object);
}

void list_connections(const HttpCall& call) {
  with_clients(call, [call](const std::vector<NodeReport>& reports) {
    JsonArray list;
    for_each_client(call, reports, "connections",
                    [&](const NodeReport& report, const JsonObject& connection) {
                      if (call.path.empty() || member_text(connection, "vhost") == call.path[0])
                        list.push_back(connection_json(report, connection));
                    });
    call.answer_list(std::move(list));
  });
}

/// Calls back with the connection that the path names; answers 404 when there is none.
void with_connection(const HttpCall& call,
                     std::function<void(const NodeReport&, const JsonObject&)> done) {
  with_clients(call, [call, done = std::move(done)](const std::vector<NodeReport>& reports) {
    const NodeReport* at = nullptr;
    const JsonObject* found = nullptr;
    for_each_client(call, reports, "connections",
                    [&](const NodeReport& report, const JsonObject& connection) {
                      if (member_text(connection, "name") != call.path[0]) return;
                      at = &report;
                      found = &connection;
                    });
    if (!found) return call.not_found();
    done(*at, *found);
  });
}

void show_connection(const HttpCall& call) {
  with_connection(call, [call](const NodeReport& report, const JsonObject& connection) {
    call.answer_json(connection_json(report, connection));
  });
}

void close_connection(const HttpCall& call) {
  with_connection(call, [call](const NodeReport& report, const JsonObject& connection) {
    if (!call.is_administrator() && member_text(connection, "user") != call.user)
      return call.refused();
    close_connection_on(*call.operations, report.node,
                        catalog::ConnectionId{member_unsigned(connection, "id")},
                        call.reason.empty() ? "Closed via management plugin" : call.reason,
                        [call](base::Result<> done) {
                          if (!done) return call.answer_failure(done.error());
                          call.answer_status(204);
                        });
  });
}

using Clients = std::map<std::uint64_t, std::pair<const NodeReport*, const JsonObject*>>;

Clients index_by_id(const std::vector<NodeReport>& reports, std::string_view what) {
  Clients clients;
  for (const NodeReport& report : reports)
    for (const Json& client : report.list(what))
      if (const JsonObject* object = client.if_object())
        clients[member_unsigned(*object, "id")] = {&report, object};
  return clients;
}

Json member(const JsonObject& object, const char* name) {
  const Json* found = object.if_contains(name);
  return found ? *found : Json(nullptr);
}

JsonObject connection_details(const Clients& connections, const JsonObject& channel) {
  const auto found = connections.find(member_unsigned(channel, "connection"));
  if (found == connections.end()) return {};
  const JsonObject& connection = *found->second.second;
  return {{"name", member(connection, "name")},
          {"peer_host", member(connection, "peer_host")},
          {"peer_port", member(connection, "peer_port")}};
}

JsonObject channel_json(const NodeReport& report, const JsonObject& channel,
                        const Clients& connections) {
  JsonObject object = channel;
  object.erase("id");
  object.erase("connection");
  object["connection_details"] = connection_details(connections, channel);
  object["node"] = text_json(report.node);
  object["user_who_performed_action"] = object["user"];
  return object;
}

void list_channels(const HttpCall& call) {
  with_clients(call, [call](const std::vector<NodeReport>& reports) {
    const Clients connections = index_by_id(reports, "connections");
    JsonArray list;
    for_each_client(call, reports, "channels",
                    [&](const NodeReport& report, const JsonObject& channel) {
                      list.push_back(channel_json(report, channel, connections));
                    });
    call.answer_list(std::move(list));
  });
}

void show_channel(const HttpCall& call) {
  with_clients(call, [call](const std::vector<NodeReport>& reports) {
    const Clients connections = index_by_id(reports, "connections");
    std::optional<JsonObject> found;
    for_each_client(call, reports, "channels",
                    [&](const NodeReport& report, const JsonObject& channel) {
                      if (member_text(channel, "name") == call.path[0])
                        found = channel_json(report, channel, connections);
                    });
    if (!found) return call.not_found();
    call.answer_json(std::move(*found));
  });
}

JsonObject channel_details(const Clients& channels, const Clients& connections,
                           const JsonObject& consumer) {
  const auto found = channels.find(member_unsigned(consumer, "channel"));
  if (found == channels.end()) return {};
  const JsonObject& channel = *found->second.second;
  const JsonObject connection = connection_details(connections, channel);
  return {{"connection_name", member(connection, "name")},
          {"name", member(channel, "name")},
          {"node", text_json(found->second.first->node)},
          {"number", member(channel, "number")},
          {"peer_host", member(connection, "peer_host")},
          {"peer_port", member(connection, "peer_port")},
          {"user", member(channel, "user")}};
}

JsonObject consumer_json(const QueueFacts& facts, const JsonObject& consumer,
                         JsonObject channel) {
  return {{"arguments", member(consumer, "arguments")},
          {"ack_required", member(consumer, "ack_required")},
          {"active", true},
          {"activity_status", "up"},
          {"channel_details", std::move(channel)},
          {"consumer_tag", member(consumer, "consumer_tag")},
          {"exclusive", member(consumer, "exclusive")},
          {"prefetch_count", member(consumer, "prefetch_count")},
          {"queue", JsonObject{{"name", text_json(facts.queue->name.name)},
                               {"vhost", text_json(facts.queue->name.vhost)}}}};
}

void list_consumers(const HttpCall& call) {
  constexpr ReportParts parts{true, true, true, false};
  gather_reports(*call.operations, parts, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway()) return call.answer_status(503);
    const Clients connections = index_by_id(reports, "connections");
    const Clients channels = index_by_id(reports, "channels");
    std::optional<std::string_view> vhost;
    if (!call.path.empty()) vhost = call.path[0];
    JsonArray list;
    for (const QueueFacts& facts : collect_queue_facts(call.catalog(), reports, vhost)) {
      if (!facts.consumer_list || !call.sees_vhost(facts.queue->name.vhost)) continue;
      for (const Json& consumer : *facts.consumer_list)
        if (const JsonObject* object = consumer.if_object())
          list.push_back(consumer_json(facts, *object,
                                       channel_details(channels, connections, *object)));
    }
    call.answer_list(std::move(list));
  });
}

constexpr HttpPower management = HttpPower::management;
constexpr HttpRoute entries[] = {
    {"GET", "connections", management, list_connections},
    {"GET", "connections/*", management, show_connection},
    {"DELETE", "connections/*", management, close_connection},
    {"GET", "vhosts/*/connections", management, list_connections, true},
    {"GET", "channels", management, list_channels},
    {"GET", "channels/*", management, show_channel},
    {"GET", "consumers", management, list_consumers},
    {"GET", "consumers/*", management, list_consumers, true},
};

}  // namespace

std::span<const HttpRoute> client_routes() { return entries; }

}  // namespace warren::management
