// Connections, channels and consumers.
#include <fmt/format.h>

#include <map>
#include <memory>

#include "management/command_call.h"
#include "management/queue_facts.h"
#include "management/reports.h"

namespace warren::management {
namespace {

constexpr ReportParts clients_only{false, false, true, false};

/// A column that is called as the report's member is.
Json plain_cell(const JsonObject& object, std::string_view column) {
  const Json* found = object.if_contains({column.data(), column.size()});
  return found ? *found : text_json("");
}

/// Whether the client has yet to say that.
bool is_unknown_yet(const JsonObject& connection, std::string_view column) {
  if (column == "vhost" || column == "auth_mechanism")
    return member_text(connection, column).empty();
  if (column == "client_properties") return is_unknown_yet(connection, "auth_mechanism");
  return column == "channel_max" && member_unsigned(connection, column) == 0;
}

Json connection_cell(const CommandCall& call, const catalog::NodeName& node,
                     const JsonObject& connection, std::string_view column) {
  if (column == "pid") return node_pid(call.catalog(), node, member_unsigned(connection, "id"));
  if (column == "state") return atom_cell(member_text(connection, "state"));
  if (column == "protocol" && member_text(connection, column) == "AMQP 0-9-1")
    return tuple_cell({0, 9, 1});
  if (is_unknown_yet(connection, column))
    return atom_cell(column == "channel_max" ? "undefined" : "none");
  if (column == "client_properties")
    return JsonObject{{"table", plain_cell(connection, "typed_client_properties")}};
  return plain_cell(connection, column);
}

Json channel_cell(const CommandCall& call, const catalog::NodeName& node,
                  const JsonObject& channel, std::string_view column) {
  if (column == "pid") return node_pid(call.catalog(), node, member_unsigned(channel, "id"));
  if (column == "connection")
    return node_pid(call.catalog(), node, member_unsigned(channel, "connection"));
  return plain_cell(channel, column);
}

using CellFunction = Json (*)(const CommandCall&, const catalog::NodeName&, const JsonObject&,
                              std::string_view);

void list_clients(const CommandCall& call, std::string_view what, CellFunction cell) {
  gather_reports(*call.operations, clients_only,
                 [call, what, cell](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway())
      return call.reply(error_reply(64, "app_stopped", "stopped meanwhile"));
    const std::vector<std::string> columns = wanted_columns(call);
    JsonArray rows;
    for (const NodeReport& report : reports)
      for (const Json& client : report.list(what)) {
        const JsonObject* object = client.if_object();
        if (!object) continue;
        JsonArray row;
        for (const std::string& column : columns)
          row.push_back(cell(call, report.node, *object, column));
        rows.push_back(std::move(row));
      }
    call.reply(rows_reply(columns, std::move(rows)));
  });
}

void list_connections(const CommandCall& call) {
  list_clients(call, "connections", connection_cell);
}
void list_channels(const CommandCall& call) { list_clients(call, "channels", channel_cell); }

using ChannelNodes = std::map<std::uint64_t, catalog::NodeName>;

ChannelNodes index_channels(const std::vector<NodeReport>& reports) {
  ChannelNodes nodes;
  for (const NodeReport& report : reports)
    for (const Json& channel : report.list("channels"))
      if (const JsonObject* object = channel.if_object())
        nodes[member_unsigned(*object, "id")] = report.node;
  return nodes;
}

Json consumer_cell(const CommandCall& call, const QueueFacts& facts, const ChannelNodes& channels,
                   const JsonObject& consumer, std::string_view column) {
  if (column == "queue_name") return text_json(facts.queue->name.name);
  if (column == "arguments")
    return JsonObject{{"table", plain_cell(consumer, "typed_arguments")}};
  if (column == "channel_pid") {
    const std::uint64_t channel = member_unsigned(consumer, "channel");
    const auto node = channels.find(channel);
    return node_pid(call.catalog(), node == channels.end() ? facts.queue->leader : node->second,
                    channel);
  }
  return plain_cell(consumer, column);
}

void list_consumers(const CommandCall& call) {
  constexpr ReportParts parts{true, true, true, false};
  gather_reports(*call.operations, parts, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway())
      return call.reply(error_reply(64, "app_stopped", "stopped meanwhile"));
    const ChannelNodes channels = index_channels(reports);
    const std::vector<std::string> columns = wanted_columns(call);
    JsonArray rows;
    for (const QueueFacts& facts : collect_queue_facts(call.catalog(), reports, call.vhost)) {
      if (!facts.consumer_list) continue;
      for (const Json& consumer : *facts.consumer_list) {
        const JsonObject* object = consumer.if_object();
        if (!object) continue;
        JsonArray row;
        for (const std::string& column : columns)
          row.push_back(consumer_cell(call, facts, channels, *object, column));
        rows.push_back(std::move(row));
      }
    }
    call.reply(rows_reply(columns, std::move(rows)));
  });
}

// The connection is named as list_connections prints its pid. An unknown one is no failure.
void close_connection(const CommandCall& call) {
  gather_reports(*call.operations, clients_only, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway())
      return call.reply(error_reply(64, "app_stopped", "stopped meanwhile"));
    const std::string reason = call.arguments.size() > 1 ? call.arguments[1] : "";
    for (const NodeReport& report : reports)
      for (const Json& connection : report.list("connections")) {
        const JsonObject* object = connection.if_object();
        if (!object) continue;
        const std::uint64_t id = member_unsigned(*object, "id");
        if (node_pid_text(call.catalog(), report.node, id) != call.arguments[0]) continue;
        return close_connection_on(*call.operations, report.node, catalog::ConnectionId{id},
                                   reason, [reply = call.reply](base::Result<>) {
                                     reply(ok_reply());
                                   });
      }
    call.reply(ok_reply());
  });
}

/// Of all nodes, those that are meant; says how many.
template <typename IsMeant>
std::size_t close_each(const CommandCall& call, const std::vector<NodeReport>& reports,
                       const std::string& reason, IsMeant is_meant) {
  std::size_t count = 0;
  for (const NodeReport& report : reports)
    for (const Json& connection : report.list("connections")) {
      const JsonObject* object = connection.if_object();
      if (!object || !is_meant(*object)) continue;
      ++count;
      close_connection_on(*call.operations, report.node,
                          catalog::ConnectionId{member_unsigned(*object, "id")}, reason,
                          [](base::Result<>) {});
    }
  return count;
}

void close_all_connections(const CommandCall& call) {
  gather_reports(*call.operations, clients_only, [call](const std::vector<NodeReport>& reports) {
    const bool is_global = call.option("global");
    const std::size_t count =
        close_each(call, reports, call.arguments[0], [&](const JsonObject& connection) {
          return is_global || member_text(connection, "vhost") == call.vhost;
        });
    call.reply(text_reply(fmt::format("Closed {} connections", count)));
  });
}

void close_all_user_connections(const CommandCall& call) {
  gather_reports(*call.operations, clients_only, [call](const std::vector<NodeReport>& reports) {
    close_each(call, reports, call.arguments[1], [&](const JsonObject& connection) {
      return member_text(connection, "user") == call.arguments[0];
    });
    call.reply(ok_reply());
  });
}

constexpr CommandEntry entries[] = {
    {"list_connections", AppNeed::running, 0, list_connections},
    {"list_channels", AppNeed::running, 0, list_channels},
    {"list_consumers", AppNeed::running, 0, list_consumers},
    {"close_connection", AppNeed::running, 1, close_connection},
    {"close_all_connections", AppNeed::running, 1, close_all_connections},
    {"close_all_user_connections", AppNeed::running, 2, close_all_user_connections},
};

}  // namespace

std::span<const CommandEntry> client_commands() { return entries; }

}  // namespace warren::management
