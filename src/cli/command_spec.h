#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"

namespace warren::cli {

class Invocation;

/// A complaint about arguments: what to say, and with which exit status.
struct Complaint {
  int exit = 64;
  std::string text;
};

/// One command of one of the tools.
struct CommandSpec {
  std::string_view name;
  std::string_view group;    ///< heading in the list of commands
  std::string_view usage;    ///< behind the general options: "join_cluster [--ram] <member>"
  std::string_view summary;
  std::size_t least = 0;     ///< arguments
  std::size_t most = 0;
  std::vector<OptionSpec> options = {};
  /// The node is asked first whether it can do this; only then the banner is printed.
  bool checks_node = true;
  /// What is printed before the work, or null. `node` is the full name.
  std::string (*banner)(const Arguments& arguments, const std::string& node) = nullptr;
  std::optional<Complaint> (*validate)(const Arguments& arguments) = nullptr;
  /// Does the work; the result is the exit status. Null: one request, whose reply is printed.
  int (*run)(Invocation& invocation) = nullptr;
};

inline constexpr std::size_t any_number = 1000;

// The commands by the family that they belong to.
std::vector<CommandSpec> node_commands();
std::vector<CommandSpec> cluster_commands();
std::vector<CommandSpec> user_commands();
std::vector<CommandSpec> vhost_commands();
std::vector<CommandSpec> limit_commands();
std::vector<CommandSpec> threshold_commands();
std::vector<CommandSpec> policy_commands();
std::vector<CommandSpec> queue_commands();
std::vector<CommandSpec> listing_commands();
std::vector<CommandSpec> help_commands();
std::vector<CommandSpec> status_commands();
std::vector<CommandSpec> diagnostics_commands();
std::vector<CommandSpec> plugins_commands();

/// The arguments with columns that are joined by commas taken apart, for listing commands.
Arguments prepare_listing(Arguments arguments);

/// The commands of a tool: rabbitmqctl, rabbitmq-diagnostics or rabbitmq-plugins.
const std::vector<CommandSpec>& commands_of(std::string_view tool);
const CommandSpec* find_command(std::string_view tool, std::string_view name);
/// The command whose name is nearest to a mistyped one, if any is near.
std::optional<std::string> suggest_command(std::string_view tool, std::string_view typed);

/// What is wrong with the arguments of a known command, before any node is asked.
std::optional<Complaint> check_arguments(const CommandSpec& spec, const Arguments& arguments);

}  // namespace warren::cli
