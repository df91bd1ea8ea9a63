// The life of a node: start, stop, wait.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "cli/invocation.h"

namespace warren::cli {
namespace {

using management::member_integer;
using management::member_text;
using Clock = Invocation::Clock;

constexpr std::chrono::milliseconds pause(100);
constexpr std::chrono::seconds stop_patience(60);
constexpr std::chrono::seconds startup_patience(300);

/// Whether that process runs. A zombie has ended.
bool is_process_alive(long pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(stat, line)) return false;
  const std::size_t end = line.rfind(')');
  return end == std::string::npos || end + 2 >= line.size() || line[end + 2] != 'Z';
}

bool await_process_end(long pid) {
  const Clock::time_point until = Clock::now() + stop_patience;
  while (is_process_alive(pid)) {
    if (Clock::now() > until) return false;
    pause_for(pause / 5);
  }
  return true;
}

bool is_local(const Invocation& invocation) {
  return invocation.target_of(invocation.node()).dial_host == "127.0.0.1";
}

std::optional<long> read_pid_file(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  long pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || pid <= 0) return std::nullopt;
  return pid;
}

/// Asks the node to stop and waits until its process has ended. The status of a failure, or 0.
int stop_node(Invocation& invocation, long& pid) {
  auto client = invocation.connect();
  if (!client) return invocation.fail_unreachable(client.error());
  int status = exit_ok;
  auto reply = invocation.ask_on(*client, JsonObject{{"command", "stop"}}, status);
  if (!reply) return status;
  if (member_text(*reply, "status") != "ok") return invocation.print_reply(*reply);
  if (const Json* value = reply->if_contains("value"); value && value->is_object())
    pid = static_cast<long>(member_integer(value->get_object(), "os_pid").value_or(0));
  const bool ended = client->await_close(Clock::now() + stop_patience) &&
                     (!is_local(invocation) || pid == 0 || await_process_end(pid));
  if (ended) return exit_ok;
  return invocation.fail(exit_unavailable,
                         fmt::format("node {} has stopped serving, but its process {} still runs",
                                     invocation.node(), pid));
}

int stop(Invocation& invocation) {
  long pid = 0;
  const auto& files = invocation.arguments().positional;
  const std::optional<long> pid_in_file = files.empty() ? std::nullopt : read_pid_file(files[0]);
  if (const int status = stop_node(invocation, pid); status != exit_ok) return status;
  if (pid_in_file)
    invocation.print_line(fmt::format("process {} (take from pid file {}) is no longer running",
                                      *pid_in_file, files[0]));
  return exit_ok;
}

int shutdown(Invocation& invocation) {
  int status = exit_ok;
  auto state = invocation.ask_value("app_state", status);
  if (!state) return status;
  long pid = static_cast<long>(member_integer(*state, "os_pid").value_or(0));
  invocation.print_note(fmt::format("Shutting down RabbitMQ node {} running at PID {}",
                                    invocation.node(), pid));
  invocation.print_note(fmt::format("Waiting for PID {} to terminate", pid));
  if (const int failed = stop_node(invocation, pid); failed != exit_ok) return failed;
  invocation.print_note(fmt::format("RabbitMQ node {} running at PID {} successfully shut down",
                                    invocation.node(), pid));
  return exit_ok;
}

/// Waits until the application runs. `state` receives what it was last: "gone" when the process
/// ended meanwhile.
bool await_running(Invocation& invocation, ControlClient& client, std::string& state,
                   std::string& failure) {
  while (Clock::now() < invocation.deadline()) {
    auto reply = client.request(R"({"command":"app_state"})", invocation.deadline());
    if (!reply) {
      if (reply.error().code != base::ErrorCode::timeout) state = "gone";
      return false;
    }
    auto parsed = management::parse_json(*reply);
    const Json* value =
        parsed && parsed->is_object() ? parsed->get_object().if_contains("value") : nullptr;
    if (!value || !value->is_object()) return false;
    state = member_text(value->get_object(), "state");
    failure = member_text(value->get_object(), "failure");
    if (state == "running") return true;
    if (state == "failed") return false;
    pause_for(pause);
  }
  return false;
}

int await_startup(Invocation& invocation) {
  invocation.set_default_timeout(startup_patience);
  auto client = invocation.connect();
  if (!client) return invocation.fail_unreachable(client.error());
  std::string state, failure;
  if (await_running(invocation, *client, state, failure)) return exit_ok;
  if (state == "failed") return invocation.fail(exit_unavailable, failure);
  if (state == "gone")
    return invocation.fail(exit_unavailable,
                           fmt::format("node {} ended while it started; its log says why",
                                       invocation.node()));
  if (state == "stopped") return invocation.fail(exit_unavailable, "rabbit_is_not_running");
  return invocation.fail_timeout();
}

/// Waits until the node's process accepts commands, while `pid` runs.
std::expected<ControlClient, int> await_node(Invocation& invocation, long pid) {
  while (true) {
    auto client = invocation.connect();
    if (client) return std::move(*client);
    if (!is_process_alive(pid))
      return std::unexpected(invocation.fail(exit_unavailable, "process_not_running"));
    if (client.error().kind == ConnectFailure::Kind::refused_by_node)
      return std::unexpected(invocation.fail_unreachable(client.error()));
    if (Clock::now() > invocation.deadline()) return std::unexpected(invocation.fail_timeout());
    pause_for(pause);
  }
}

int wait(Invocation& invocation) {
  invocation.set_default_timeout(startup_patience);
  const Arguments& arguments = invocation.arguments();
  std::optional<long> pid;
  if (auto given = arguments.number("pid")) pid = static_cast<long>(*given);
  if (!pid) {
    if (arguments.positional.empty())
      return invocation.fail_usage({exit_usage,
                                    "Error (argument validation): not enough arguments."});
    const std::string& file = arguments.positional[0];
    invocation.print_note(fmt::format("Waiting for pid file '{}' to appear", file));
    while (!(pid = read_pid_file(file))) {
      if (Clock::now() > invocation.deadline()) return invocation.fail_timeout();
      pause_for(pause);
    }
    invocation.print_note(fmt::format("pid is {}", *pid));
  }
  const std::string& node = invocation.node();
  invocation.print_note(fmt::format(
      "Waiting for erlang distribution on node '{}' while OS process '{}' is running", node, *pid));
  auto client = await_node(invocation, *pid);
  if (!client) return client.error();
  invocation.print_note(fmt::format(
      "Waiting for applications 'rabbit_and_plugins' to start on node '{}'", node));
  std::string state, failure;
  if (!await_running(invocation, *client, state, failure)) {
    if (!failure.empty()) return invocation.fail(exit_unavailable, failure);
    return is_process_alive(*pid) ? invocation.fail_timeout()
                                  : invocation.fail(exit_unavailable, "process_not_running");
  }
  invocation.print_note(
      fmt::format("Applications 'rabbit_and_plugins' are running on node '{}'", node));
  return exit_ok;
}

int ping(Invocation& invocation) {
  invocation.set_default_timeout(std::chrono::seconds(60));
  const auto milliseconds = invocation.timeout() ? invocation.timeout()->count() : 0;
  invocation.print_note(fmt::format("Will ping {}. This only checks if the OS process is running "
                                    "and registered with epmd. Timeout: {} ms.",
                                    invocation.node(), milliseconds));
  if (auto client = invocation.connect(); !client)
    return invocation.fail(exit_unavailable,
                           fmt::format("Failed to connect and authenticate to {} in {} ms",
                                       invocation.node(), milliseconds));
  invocation.print_note("Ping succeeded");
  return exit_ok;
}

std::string stop_banner(const Arguments& arguments, const std::string& node) {
  if (arguments.positional.empty()) return fmt::format("Stopping and halting node {} ...", node);
  return fmt::format("Stopping and halting node {} (will monitor pid file {}) ...", node,
                     arguments.positional[0]);
}

}  // namespace

std::vector<CommandSpec> node_commands() {
  const std::string_view group = "Nodes";
  return {
      {"await_startup", group, "await_startup [--timeout <timeout>]",
       "Waits until the broker application runs on the node", 0, 0, {}, false, nullptr, nullptr,
       await_startup},
      {"ping", group, "ping [--timeout <timeout>]",
       "Checks that the node's process answers and accepts this tool", 0, 0, {}, false, nullptr,
       nullptr, ping},
      {"shutdown", group, "shutdown", "Stops the node and waits until its process has ended", 0, 0,
       {{"wait"}, {"no-wait"}}, false, nullptr, nullptr, shutdown},
      {"start_app", group, "start_app", "Starts the broker application in a running process", 0, 0,
       {}, false, [](const Arguments&, const std::string& node) {
         return fmt::format("Starting node {} ...", node);
       }},
      {"stop", group, "stop [--idempotent] [<pidfile>]",
       "Stops the node and waits until its process has ended", 0, 1, {{"idempotent"}}, false,
       stop_banner, nullptr, stop},
      {"stop_app", group, "stop_app",
       "Stops the broker application and leaves the process running", 0, 0, {}, false,
       [](const Arguments&, const std::string& node) {
         return fmt::format("Stopping rabbit application on node {} ...", node);
       }},
      {"wait", group, "wait [<pidfile>] [--pid|-P <pid>]",
       "Waits for a node whose process id is in a file, or given", 0, 1,
       {{"pid", OptionKind::number, 'P'}}, false, nullptr, nullptr, wait},
  };
}

}  // namespace warren::cli
