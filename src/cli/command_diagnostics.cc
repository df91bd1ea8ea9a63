// rabbitmq-diagnostics, and `status`, which rabbitmqctl has too.
#include <fmt/format.h>

#include <algorithm>

#include "cli/cluster_status.h"
#include "cli/invocation.h"
#include "cli/status_text.h"
#include "management/process_info.h"

namespace warren::cli {
namespace {

using management::member_text;
using management::member_unsigned;
using Banner = std::string (*)(const Arguments&, const std::string&);

int status(Invocation& invocation) {
  int exit = exit_ok;
  auto value = invocation.ask_value("status", exit);
  if (!value) return exit;
  const Json* facts = value->if_contains("facts");
  if (!facts || !facts->is_object()) return invocation.fail(exit_software, "no facts");
  invocation.print_banner();
  switch (invocation.format()) {
    case Format::json: invocation.print_line(management::print_json(*facts)); break;
    case Format::erlang:
      invocation.print_line(codec::erlang::print_pretty(json_term(*facts)));
      break;
    default:
      invocation.print_line(status_text(invocation.node(), facts->get_object(),
                                        invocation.arguments().value("unit", "gb")));
  }
  return exit_ok;
}

/// The listeners of the node, or empty with the status set.
std::optional<JsonObject> ask_listeners(Invocation& invocation, int& exit) {
  auto value = invocation.ask_value("listeners", exit);
  if (value) invocation.print_banner();
  return value;
}

template <typename Visit>
void for_each_listener(const JsonObject& value, Visit visit) {
  const Json* list = value.if_contains("listeners");
  if (!list || !list->is_array()) return;
  for (const Json& listener : list->get_array())
    if (const JsonObject* object = listener.if_object()) visit(*object);
}

int listeners(Invocation& invocation) {
  int exit = exit_ok;
  auto value = ask_listeners(invocation, exit);
  if (!value) return exit;
  if (invocation.format() == Format::json) {
    invocation.print_line(management::print_json(*value));
    return exit_ok;
  }
  for_each_listener(*value, [&](const JsonObject& listener) {
    invocation.print_line(listener_line(listener));
  });
  return exit_ok;
}

/// What the node's application is doing: "running" and so on; empty when the node does not answer,
/// which has been reported then.
std::string ask_state(Invocation& invocation, int& exit) {
  auto value = invocation.ask_value("app_state", exit);
  return value ? member_text(*value, "state") : "";
}

int check_running(Invocation& invocation) {
  invocation.print_banner();
  int exit = exit_ok;
  const std::string state = ask_state(invocation, exit);
  if (state.empty()) return exit;
  if (state == "running") {
    invocation.print_note(
        fmt::format("RabbitMQ on node {} is fully booted and running", invocation.node()));
    return exit_ok;
  }
  return invocation.fail(exit_unavailable,
                         fmt::format("RabbitMQ on node {} is not running or has not fully booted "
                                     "yet (check with is_booting)",
                                     invocation.node()));
}

int is_booting(Invocation& invocation) {
  invocation.print_banner();
  int exit = exit_ok;
  const std::string state = ask_state(invocation, exit);
  if (state.empty()) return exit;
  invocation.print_line(
      state == "starting"
          ? fmt::format("RabbitMQ on node {} is booting", invocation.node())
          : fmt::format("RabbitMQ on node {} is fully booted (check with is_running), stopped or "
                        "has not started booting yet",
                        invocation.node()));
  return exit_ok;
}

int check_alarms(Invocation& invocation) {
  int exit = exit_ok;
  auto facts = invocation.ask_value("cluster_status", exit);
  if (!facts) return exit;
  invocation.print_banner();
  const bool only_local = invocation.spec().name == "check_local_alarms";
  std::string found;
  if (const Json* alarms = facts->if_contains("alarms"); alarms && alarms->is_array())
    for (const Json& alarm : alarms->get_array())
      if (const JsonObject* object = alarm.if_object();
          object && (!only_local || member_text(*object, "node") == invocation.node()))
        found += fmt::format("\n{} alarm on node {}", member_text(*object, "resource"),
                             member_text(*object, "node"));
  if (!found.empty())
    return invocation.fail_plain(exit_unavailable,
                                 fmt::format("Error: alarms in effect:{}", found));
  invocation.print_note(fmt::format("Node {} reported no {}", invocation.node(),
                                    only_local ? "local alarms" : "alarms, local or clusterwide"));
  return exit_ok;
}

int check_port_listener(Invocation& invocation) {
  int exit = exit_ok;
  auto value = ask_listeners(invocation, exit);
  if (!value) return exit;
  const std::string& wanted = invocation.arguments().positional[0];
  std::vector<std::uint64_t> ports;
  for_each_listener(*value, [&](const JsonObject& listener) {
    ports.push_back(member_unsigned(listener, "port"));
  });
  std::ranges::sort(ports);
  for (std::uint64_t port : ports)
    if (std::to_string(port) == wanted) {
      invocation.print_note(fmt::format("A listener for port {} is running on node {}.", wanted,
                                        invocation.node()));
      return exit_ok;
    }
  return invocation.fail_plain(
      exit_unavailable, fmt::format("No listener for port {} is active on node {}. Found listeners "
                                    "that use the following ports: {}",
                                    wanted, invocation.node(), fmt::join(ports, ", ")));
}

int server_version(Invocation& invocation) {
  int exit = exit_ok;
  auto value = invocation.ask_value("status", exit);
  if (!value) return exit;
  invocation.print_banner();
  invocation.print_line(management::compatible_version);
  return exit_ok;
}

int erlang_cookie_hash(Invocation& invocation) {
  invocation.print_banner();
  if (auto client = invocation.connect(); !client)
    return invocation.fail_unreachable(client.error());
  invocation.print_line(invocation.caller_details().cookie_hash);
  return exit_ok;
}

std::vector<CommandSpec> check_commands() {
  const std::string_view group = "Monitoring, observability and health checks";
  const Banner running = [](const Arguments&, const std::string& node) {
    return fmt::format("Checking if RabbitMQ is running on node {} ...", node);
  };
  const Banner is_running = [](const Arguments&, const std::string& node) {
    return fmt::format("Asking node {} for its status ...", node);
  };
  const Banner booting = [](const Arguments&, const std::string& node) {
    return fmt::format("Asking node {} for its boot status ...", node);
  };
  const Banner alarms = [](const Arguments&, const std::string& node) {
    return fmt::format("Asking node {} to report any local resource alarms ...", node);
  };
  const Banner port = [](const Arguments& arguments, const std::string& node) {
    return fmt::format("Asking node {} if there's an active listener on port {} ...", node,
                       arguments.positional[0]);
  };
  return {
      {"check_alarms", group, "check_alarms", "Fails while an alarm is on in the cluster", 0, 0,
       {}, true, alarms, nullptr, check_alarms},
      {"check_local_alarms", group, "check_local_alarms", "Fails while an alarm is on on the node",
       0, 0, {}, true, alarms, nullptr, check_alarms},
      {"check_port_listener", group, "check_port_listener <port>",
       "Fails when nothing listens on that port", 1, 1, {}, true, port, nullptr,
       check_port_listener},
      {"check_running", group, "check_running", "Fails unless the broker application runs", 0, 0,
       {}, true, running, nullptr, check_running},
      {"is_booting", group, "is_booting", "Tells whether the application is starting", 0, 0, {},
       true, booting, nullptr, is_booting},
      {"is_running", group, "is_running", "Fails unless the broker application runs", 0, 0, {},
       true, is_running, nullptr, check_running},
  };
}

CommandSpec status_command() {
  return {"status", "Monitoring, observability and health checks",
          "status [--unit <unit>] [--timeout <timeout>]", "Displays the state of a node", 0, 0,
          {{"unit", OptionKind::text}}, true,
          [](const Arguments&, const std::string& node) {
            return fmt::format("Status of node {} ...", node);
          },
          nullptr, status};
}

}  // namespace

std::vector<CommandSpec> status_commands() { return {status_command()}; }

std::vector<CommandSpec> diagnostics_commands() {
  const std::string_view group = "Configuration and Environment";
  const Banner ports = [](const Arguments&, const std::string& node) {
    return fmt::format("Asking node {} to report its protocol listeners ...", node);
  };
  const Banner version = [](const Arguments&, const std::string& node) {
    return fmt::format("Asking node {} for its RabbitMQ version...", node);
  };
  const Banner hash = [](const Arguments&, const std::string& node) {
    return fmt::format("Asking node {} its Erlang cookie hash...", node);
  };
  std::vector<CommandSpec> all = check_commands();
  all.push_back(status_command());
  all.push_back({"listeners", group, "listeners", "Lists the ports that the node listens on", 0, 0,
                 {}, true, ports, nullptr, listeners});
  all.push_back({"server_version", group, "server_version",
                 "Displays the version whose behaviour is offered", 0, 0, {}, true, version,
                 nullptr, server_version});
  all.push_back({"erlang_cookie_hash", group, "erlang_cookie_hash",
                 "Displays what stands for the shared secret", 0, 0, {}, true, hash, nullptr,
                 erlang_cookie_hash});
  // The same commands as rabbitmqctl's.
  for (const std::vector<CommandSpec>& family : {node_commands(), cluster_commands()})
    for (const CommandSpec& spec : family)
      if (spec.name == "ping" || spec.name == "cluster_status") all.push_back(spec);
  return all;
}

}  // namespace warren::cli
