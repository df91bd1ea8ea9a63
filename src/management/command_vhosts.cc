// Virtual hosts.
#include <fmt/format.h>

#include "management/command_call.h"

namespace warren::management {
namespace {

Json vhost_cell(const CommandCall& call, const catalog::Vhost& vhost, std::string_view column) {
  if (column == "name") return text_json(vhost.name);
  if (column == "description") return text_json(vhost.description);
  if (column == "tracing") return Json(call.operations->is_traced(vhost.name));
  if (column == "tags") {
    JsonArray tags;
    for (const std::string& tag : vhost.tags) tags.push_back(atom_cell(tag));
    return tags;
  }
  if (column == "cluster_state") {
    JsonObject state;
    for (const catalog::NodeName& node : call.operations->running_members())
      state[node] = "running";
    return JsonObject{{"map", std::move(state)}};
  }
  return text_json("");
}

void list_vhosts(const CommandCall& call) {
  const std::vector<std::string> columns = wanted_columns(call);
  JsonArray rows;
  for (const auto& [name, vhost] : call.catalog().vhosts()) {
    JsonArray row;
    for (const std::string& column : columns) row.push_back(vhost_cell(call, vhost, column));
    rows.push_back(std::move(row));
  }
  call.reply(rows_reply(columns, std::move(rows)));
}

std::vector<std::string> split_tags(std::string_view text) {
  std::vector<std::string> tags;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (std::string_view tag = text.substr(0, comma); !tag.empty()) tags.emplace_back(tag);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return tags;
}

/// Empty, or why queues of that type can't be what a vhost's clients get unasked.
std::string_view default_type_fault(std::string_view type) {
  if (type.empty() || type == "classic") return {};
  if (type == "quorum" || type == "stream") return "only classic queues are offered here";
  return "invalid_queue_type";
}

void add_vhost(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  const std::string_view fault =
      default_type_fault(member_text(call.options, "default-queue-type"));
  if (!fault.empty()) return call.reply(error_reply(69, "failed", fault));
  // One that exists is left as it is, and is no failure.
  if (call.catalog().find_vhost(name)) return call.reply(ok_reply());
  call.propose(catalog::PutVhost{{name, member_text(call.options, "description"),
                                  split_tags(member_text(call.options, "tags"))}});
}

void set_vhost_tags(const CommandCall& call) {
  const catalog::Vhost* vhost = call.catalog().find_vhost(call.arguments[0]);
  if (!vhost)
    return call.reply(error_reply(
        65, "plain", fmt::format("Virtual host '{}' does not exist", call.arguments[0])));
  catalog::Vhost changed = *vhost;
  changed.tags.assign(call.arguments.begin() + 1, call.arguments.end());
  call.propose(catalog::PutVhost{std::move(changed)});
}

void delete_vhost(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  auto missing = [name](const base::Error& error) {
    if (error.code != base::ErrorCode::not_found) return failed_reply(error);
    return error_reply(65, "plain", fmt::format("Virtual host '{}' does not exist", name));
  };
  if (!call.catalog().find_vhost(name))
    return call.reply(missing({base::ErrorCode::not_found, {}}));
  call.propose(catalog::DeleteVhost{name}, missing);
}

/// A vhost that isn't there is traced from when it is made.
void trace_on(const CommandCall& call) {
  call.operations->trace(call.vhost, true);
  call.reply(text_reply(fmt::format("Trace enabled for vhost {}", call.vhost)));
}

void trace_off(const CommandCall& call) {
  call.operations->trace(call.vhost, false);
  call.reply(text_reply(fmt::format("Trace disabled for vhost {}", call.vhost)));
}

constexpr CommandEntry entries[] = {
    {"list_vhosts", AppNeed::running, 0, list_vhosts},
    {"add_vhost", AppNeed::running, 1, add_vhost},
    {"delete_vhost", AppNeed::running, 1, delete_vhost},
    {"set_vhost_tags", AppNeed::running, 1, set_vhost_tags},
    {"trace_on", AppNeed::running, 0, trace_on},
    {"trace_off", AppNeed::running, 0, trace_off},
};

}  // namespace

std::span<const CommandEntry> vhost_commands() { return entries; }

}  // namespace warren::management
