#include "management/command_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "management/columns.h"
#include "management/command_call.h"

namespace warren::management {
namespace {

using Index = std::map<std::string_view, const CommandEntry*>;

const Index& command_index() {
  static const Index index = [] {
    Index all;
    for (auto family : {cluster_commands(), status_commands(), user_commands(), vhost_commands(),
                        limit_commands(), policy_commands(), queue_commands(), topology_commands(),
                        client_commands()})
      for (const CommandEntry& entry : family) all[entry.name] = &entry;
    return all;
  }();
  return index;
}

/// What stands in the way of a command, or an empty object.
JsonObject find_obstacle(const CommandEntry& entry, const CommandCall& call) {
  const AppState state = call.operations->app_state();
  if (entry.need == AppNeed::running && !call.operations->gateway())
    return error_reply(64, "app_stopped", "the application does not run on this node");
  const bool is_stopped = state == AppState::stopped || state == AppState::failed;
  if (entry.need == AppNeed::stopped && !is_stopped)
    return error_reply(64, "app_running", "the application runs on this node");
  if (call.arguments.size() < entry.arguments)
    return error_reply(64, "argument", "not enough arguments.");
  return {};
}

bool read_request(std::string_view request, CommandCall& call) {
  auto parsed = parse_json(request);
  if (!parsed || !parsed->is_object()) return false;
  JsonObject& object = parsed->get_object();
  call.command = member_text(object, "command");
  call.vhost = member_text(object, "vhost", "/");
  if (const Json* options = object.if_contains("options"); options && options->is_object())
    call.options = options->get_object();
  if (const Json* arguments = object.if_contains("arguments")) {
    if (!arguments->is_array()) return false;
    for (const Json& argument : arguments->get_array()) {
      if (!argument.is_string()) return false;
      call.arguments.emplace_back(text_of(argument.get_string()));
    }
  }
  return true;
}

}  // namespace

void CommandHandler::execute(std::string_view request, Reply reply) {
  CommandCall call;
  call.operations = &operations_;
  call.reply = [reply = std::move(reply)](JsonObject object) { reply(print_json(object)); };
  if (!read_request(request, call))
    return call.reply(error_reply(70, "failed", "the request is malformed"));
  const auto found = command_index().find(call.command);
  if (found == command_index().end())
    return call.reply(error_reply(64, "failed",
                                  fmt::format("this node knows no command '{}'", call.command)));
  if (JsonObject obstacle = find_obstacle(*found->second, call); !obstacle.empty())
    return call.reply(std::move(obstacle));
  found->second->execute(call);
}

Operations::Done CommandCall::reply_done() const {
  return [reply = reply](base::Result<> result) {
    reply(result ? ok_reply() : failed_reply(result.error()));
  };
}

void CommandCall::propose(const catalog::Command& change,
                          std::function<JsonObject(const base::Error&)> on_error) const {
  operations->propose(change, [reply = reply, on_error = std::move(on_error)](
                                  base::Result<catalog::Applied> result) {
    reply(result ? ok_reply() : on_error(result.error()));
  });
}

std::vector<std::string> wanted_columns(const CommandCall& call) {
  if (!call.arguments.empty()) return call.arguments;
  const Columns* columns = find_columns(call.command);
  if (!columns) return {};
  return {columns->defaults.begin(), columns->defaults.end()};
}

std::string elixir_atom(std::string_view name) {
  auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '@';
  };
  const bool starts_well =
      !name.empty() && (std::isalpha(static_cast<unsigned char>(name[0])) || name[0] == '_');
  if (starts_well && std::ranges::all_of(name, is_plain)) return fmt::format(":{}", name);
  return fmt::format(":\"{}\"", name);
}

catalog::NodeName full_node_name(const Operations& operations, std::string_view name) {
  if (name.find('@') != std::string_view::npos) return std::string(name);
  const std::string& own = operations.node_name();
  const std::size_t at = own.find('@');
  return std::string(name) + (at == std::string::npos ? "" : own.substr(at));
}

}  // namespace warren::management
