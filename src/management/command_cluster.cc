// The node's life and its place in a cluster.
#include <fmt/format.h>

#include "management/command_call.h"

namespace warren::management {
namespace {

using base::Error;
using base::ErrorCode;
using catalog::NodeName;

void stop_app(const CommandCall& call) { call.operations->stop_app(call.reply_done()); }
void start_app(const CommandCall& call) { call.operations->start_app(call.reply_done()); }
void reset(const CommandCall& call) { call.operations->reset(call.reply_done()); }
void force_reset(const CommandCall& call) { call.operations->force_reset(call.reply_done()); }
void force_boot(const CommandCall& call) { call.operations->force_boot(call.reply_done()); }

// The caller watches the process go.
void stop(const CommandCall& call) {
  const std::int64_t os_pid = call.operations->process_info().os_pid;
  call.operations->stop([reply = call.reply, os_pid](base::Result<> result) {
    reply(result ? value_reply({{"os_pid", os_pid}}) : failed_reply(result.error()));
  });
}

JsonObject join_reply(const base::Result<>& result, const NodeName& target) {
  if (result) return ok_reply();
  switch (result.error().code) {
    case ErrorCode::already_exists:
      return text_reply("The node is already a member of this cluster");
    case ErrorCode::invalid_argument:
      return error_reply(70, "failed",
                         fmt::format("Error: cannot cluster node with itself: {}", target));
    case ErrorCode::unavailable: {
      JsonObject reply = error_reply(69, "unreachable", result.error().text);
      reply["node"] = text_json(target);
      return reply;
    }
    case ErrorCode::precondition_failed:
      return error_reply(
          69, "failed", fmt::format("{{:inconsistent_cluster, '{}'}}", result.error().text));
    default: return failed_reply(result.error());
  }
}

void join_cluster(const CommandCall& call) {
  const NodeName target = full_node_name(*call.operations, call.arguments[0]);
  if (target == call.operations->node_name())
    return call.reply(
        join_reply(base::fail(ErrorCode::invalid_argument, "the node itself"), target));
  call.operations->join_cluster(
      target, call.option("ram"),
      [reply = call.reply, target](base::Result<> result) { reply(join_reply(result, target)); });
}

void forget_cluster_node(const CommandCall& call) {
  const NodeName member = full_node_name(*call.operations, call.arguments[0]);
  call.operations->forget_cluster_node(member, [reply = call.reply, member](base::Result<> result) {
    if (result) return reply(ok_reply());
    const Error& error = result.error();
    if (error.code == ErrorCode::not_found)
      return reply(error_reply(
          69, "failed", "{:not_a_cluster_node, 'The node selected is not in the cluster.'}"));
    if (error.code == ErrorCode::not_allowed)
      return reply(error_reply(
          69, "failed",
          fmt::format("RabbitMQ on node {0} must be stopped with 'rabbitmqctl -n {0} stop_app' "
                      "before it can be removed",
                      member)));
    reply(error_reply(69, "failed",
                      fmt::format("{{:failed_to_remove_node, {}, '{}'}}", elixir_atom(member),
                                  error.text)));
  });
}

void change_cluster_node_type(const CommandCall& call) {
  const std::string& wanted = call.arguments[0];
  if (wanted != "ram" && wanted != "disc" && wanted != "disk")
    return call.reply(error_reply(65, "argument",
                                  "Bad argument: The node type must be either disc or ram."));
  const auto kind = wanted == "ram" ? catalog::NodeKind::ram : catalog::NodeKind::disc;
  const std::string kind_name = wanted == "ram" ? "ram" : "disc";
  call.operations->change_cluster_node_type(
      kind, [reply = call.reply, kind_name](base::Result<> result) {
        if (!result && result.error().code == ErrorCode::already_exists)
          return reply(text_reply(fmt::format("Node type is already {}", kind_name)));
        reply(result ? ok_reply() : failed_reply(result.error()));
      });
}

void set_cluster_name(const CommandCall& call) {
  call.propose(catalog::SetGlobalParameter{"cluster_name", call.arguments[0]});
}

std::string_view app_state_name(AppState state) {
  switch (state) {
    case AppState::stopped: return "stopped";
    case AppState::starting: return "starting";
    case AppState::running: return "running";
    case AppState::stopping: return "stopping";
    case AppState::failed: return "failed";
  }
  return "failed";
}

// For everybody who waits: await_startup, wait, await_online_nodes and the checks.
void app_state(const CommandCall& call) {
  Operations& operations = *call.operations;
  JsonArray members;
  for (const NodeName& member : operations.running_members()) members.push_back(text_json(member));
  call.reply(value_reply({{"state", text_json(app_state_name(operations.app_state()))},
                          {"failure", text_json(operations.app_failure())},
                          {"running_nodes", std::move(members)},
                          {"os_pid", operations.process_info().os_pid}}));
}

void apply_plugins(const CommandCall& call) {
  call.operations->apply_plugins(call.arguments, call.reply_done());
}

constexpr CommandEntry entries[] = {
    {"stop_app", AppNeed::any, 0, stop_app},
    {"start_app", AppNeed::any, 0, start_app},
    {"stop", AppNeed::any, 0, stop},
    {"reset", AppNeed::stopped, 0, reset},
    {"force_reset", AppNeed::stopped, 0, force_reset},
    {"force_boot", AppNeed::stopped, 0, force_boot},
    {"join_cluster", AppNeed::stopped, 1, join_cluster},
    {"change_cluster_node_type", AppNeed::stopped, 1, change_cluster_node_type},
    {"forget_cluster_node", AppNeed::running, 1, forget_cluster_node},
    {"set_cluster_name", AppNeed::running, 1, set_cluster_name},
    {"app_state", AppNeed::any, 0, app_state},
    {"apply_plugins", AppNeed::any, 0, apply_plugins},
};

}  // namespace

std::span<const CommandEntry> cluster_commands() { return entries; }

}  // namespace warren::management
