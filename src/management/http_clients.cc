// /api/connections, /api/channels and /api/consumers.
#include "management/client_index.h"
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

/// Own clients, and those of everybody with monitoring, once they are in a vhost.
bool is_seen(const HttpCall& call, const JsonObject& client) {
  if (member_text(client, "vhost").empty()) return false;
  return call.power >= HttpPower::monitoring || member_text(client, "user") == call.login.user;
}

JsonObject connection_json(const NodeReport& report, const JsonObject& connection) {
  JsonObject object = connection;
  object.erase("id");
  object.erase("typed_client_properties");
  object["node"] = text_json(report.node);
  object["recv_oct_details"] = no_rate();
  object["send_oct_details"] = no_rate();
  // Here what TLS does not tell is null.
  for (const char* name : {"ssl_protocol", "ssl_key_exchange", "ssl_cipher", "ssl_hash",
                           "peer_cert_subject", "peer_cert_issuer", "peer_cert_validity"})
    if (Json& value = object[name]; value == "") value = nullptr;
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
    if (!call.is_administrator() && member_text(connection, "user") != call.login.user)
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

JsonObject channel_json(const NodeReport& report, const JsonObject& channel,
                        const ClientIndex& clients) {
  JsonObject object = channel;
  object.erase("id");
  object.erase("connection");
  object["connection_details"] = clients.connection_details(member_unsigned(channel, "connection"));
  object["node"] = text_json(report.node);
  object["user_who_performed_action"] = object["user"];
  return object;
}

void list_channels(const HttpCall& call) {
  with_clients(call, [call](const std::vector<NodeReport>& reports) {
    const ClientIndex clients(reports);
    JsonArray list;
    for_each_client(call, reports, "channels",
                    [&](const NodeReport& report, const JsonObject& channel) {
                      list.push_back(channel_json(report, channel, clients));
                    });
    call.answer_list(std::move(list));
  });
}

void show_channel(const HttpCall& call) {
  with_clients(call, [call](const std::vector<NodeReport>& reports) {
    const ClientIndex clients(reports);
    std::optional<JsonObject> found;
    for_each_client(call, reports, "channels",
                    [&](const NodeReport& report, const JsonObject& channel) {
                      if (member_text(channel, "name") == call.path[0])
                        found = channel_json(report, channel, clients);
                    });
    if (!found) return call.not_found();
    call.answer_json(std::move(*found));
  });
}

void list_consumers(const HttpCall& call) {
  constexpr ReportParts parts{true, true, true, false};
  gather_reports(*call.operations, parts, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway()) return call.answer_status(503);
    const ClientIndex clients(reports);
    std::optional<std::string_view> vhost;
    if (!call.path.empty()) vhost = call.path[0];
    JsonArray list;
    for (const QueueFacts& facts : collect_queue_facts(call.catalog(), reports, vhost)) {
      if (!call.sees_vhost(facts.queue->name.vhost)) continue;
      for (Json& consumer : clients.consumers_of(facts)) list.push_back(std::move(consumer));
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
