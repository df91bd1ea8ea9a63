// Exchanges and bindings.
#include "management/command_call.h"

namespace warren::management {
namespace {

Json exchange_cell(const catalog::Exchange& exchange, std::string_view column) {
  if (column == "name") return text_json(exchange.name.name);
  if (column == "type") return atom_cell(exchange.type);
  if (column == "durable") return exchange.durable;
  if (column == "auto_delete") return exchange.auto_delete;
  if (column == "internal") return exchange.internal;
  if (column == "arguments") return table_cell(exchange.arguments);
  if (column == "policy") return text_json(exchange.policy);
  return text_json("");
}

void list_exchanges(const CommandCall& call) {
  const std::vector<std::string> columns = wanted_columns(call);
  JsonArray rows;
  for (const auto& [name, exchange] : call.catalog().exchanges()) {
    if (name.vhost != call.vhost) continue;
    JsonArray row;
    for (const std::string& column : columns) row.push_back(exchange_cell(exchange, column));
    rows.push_back(std::move(row));
  }
  call.reply(rows_reply(columns, std::move(rows)));
}

Json binding_cell(const catalog::Binding& binding, std::string_view column) {
  if (column == "source_name") return text_json(binding.source.name);
  if (column == "source_kind") return atom_cell("exchange");
  if (column == "destination_name") return text_json(binding.destination);
  if (column == "destination_kind")
    return atom_cell(binding.destination_kind == catalog::DestinationKind::queue ? "queue"
                                                                                 : "exchange");
  if (column == "routing_key") return text_json(binding.routing_key);
  if (column == "arguments") return table_cell(binding.arguments);
  return text_json("");
}

void list_bindings(const CommandCall& call) {
  const std::vector<std::string> columns = wanted_columns(call);
  JsonArray rows;
  auto add = [&](const catalog::Binding& binding) {
    JsonArray row;
    for (const std::string& column : columns) row.push_back(binding_cell(binding, column));
    rows.push_back(std::move(row));
  };
  for (const auto& [name, id] : call.catalog().queue_names())
    if (name.vhost == call.vhost)
      add({{call.vhost, ""}, catalog::DestinationKind::queue, name.name, name.name, {}});
  for (const auto& [name, exchange] : call.catalog().exchanges())
    if (name.vhost == call.vhost)
      for (const catalog::Binding& binding : call.catalog().bindings_from(name)) add(binding);
  call.reply(rows_reply(columns, std::move(rows)));
}

constexpr CommandEntry entries[] = {
    {"list_exchanges", AppNeed::running, 0, list_exchanges},
    {"list_bindings", AppNeed::running, 0, list_bindings},
};

}  // namespace

std::span<const CommandEntry> topology_commands() { return entries; }

}  // namespace warren::management
