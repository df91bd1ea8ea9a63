#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_spec.h"
#include "cli/control_client.h"
#include "cli/formatter.h"
#include "server/environment.h"

namespace warren::cli {

// Exit statuses, as sysexits.h numbers them.
inline constexpr int exit_ok = 0;
inline constexpr int exit_usage = 64;
inline constexpr int exit_data = 65;
inline constexpr int exit_no_user = 67;
inline constexpr int exit_unavailable = 69;
inline constexpr int exit_software = 70;
inline constexpr int exit_timeout = 75;

/// One run of one command: who is asked, how the answer is printed.
class Invocation {
 public:
  using Clock = ControlClient::Clock;

  Invocation(const CommandSpec& spec, Arguments arguments, server::Environment environment,
             Format format);

  const CommandSpec& spec() const { return spec_; }
  const Arguments& arguments() const { return arguments_; }
  const server::Environment& environment() const { return environment_; }
  /// The node that is asked, in full.
  const std::string& node() const { return node_; }
  Format format() const { return format_; }

  /// Runs the command; the result is the exit status.
  int run();

  /// Prints the command's banner unless it is not wanted, once.
  void print_banner();
  void print(std::string_view text);
  void print_line(std::string_view line);
  /// A line that is left out when the command is to be quiet.
  void print_note(std::string_view line);
  /// "Error:" and the text, on the error stream; passes the status on.
  int fail(int status, std::string_view text);
  /// The text as it is, on the error stream.
  int fail_plain(int status, std::string_view text);
  /// The complaint with the command's usage.
  int fail_usage(const Complaint& complaint);
  int fail_unreachable(const ConnectFailure& failure);
  int fail_timeout();

  /// The milliseconds that --timeout gives, or those of the command, or none.
  std::optional<std::chrono::milliseconds> timeout() const { return timeout_; }
  void set_default_timeout(std::chrono::milliseconds timeout);
  Clock::time_point deadline() const;

  NodeTarget target_of(const std::string& node) const;
  CallerDetails caller_details() const;
  std::expected<ControlClient, ConnectFailure> connect() const;
  /// This command as a request: its words and its own options.
  JsonObject make_request() const;
  /// Asks the node; an error reply when it can't be asked, with kind "unreachable" and already
  /// reported through `status`.
  std::optional<JsonObject> ask(const JsonObject& request, int& status);
  std::optional<JsonObject> ask_on(ControlClient& client, const JsonObject& request, int& status);
  /// Prints a reply of any form; the result is the exit status.
  int print_reply(const JsonObject& reply);
  /// Sends the command and prints what comes back.
  int run_on_node();
  /// The member "value" of the reply to a request without arguments, or empty with `status` set.
  std::optional<JsonObject> ask_value(std::string_view command, int& status);

 private:
  int print_error(const JsonObject& reply);
  int print_listing(const JsonObject& reply);
  const std::string& cookie() const;

  const CommandSpec& spec_;
  Arguments arguments_;
  server::Environment environment_;
  std::string node_;
  std::string own_name_;
  Format format_;
  std::optional<std::chrono::milliseconds> timeout_;
  Clock::time_point started_;
  mutable std::optional<std::string> cookie_;
  bool banner_printed_ = false;
};

/// The line under "Usage".
std::string usage_line(std::string_view tool, const CommandSpec& spec);

/// Runs one of the tools with its words; the result is the exit status.
int run_tool(const std::string& tool, std::vector<std::string> words);

}  // namespace warren::cli
