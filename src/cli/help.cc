#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/invocation.h"
#include "management/process_info.h"

namespace warren::cli {
namespace {

constexpr std::string_view general_options_text =
    "The following options are accepted by most or all commands.\n\n"
    "short            | long          | description\n"
    "-----------------|---------------|--------------------------------\n"
    "-?               | --help        | shows how the command is used\n"
    "-n <node>        | --node <node> | asks that node\n"
    "-l               | --longnames   | uses long host names\n"
    "-t               | --timeout <n> | gives up after so many seconds\n"
    "-q               | --quiet       | leaves out informational lines\n"
    "-s               | --silent      | leaves out informational lines and table headers\n"
    "-p               | --vhost       | the virtual host to work on\n"
    "                 | --formatter   | json, pretty_table, table, csv or erlang,\n"
    "                 |               | where the command has data to show\n";

int help(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments();
  if (arguments.positional.empty()) {
    invocation.print(tool_usage(arguments.tool));
    return exit_ok;
  }
  const CommandSpec* spec = find_command(arguments.tool, arguments.positional[0]);
  if (!spec)
    return invocation.fail(exit_usage,
                           fmt::format("\nCommand '{}' not found.", arguments.positional[0]));
  invocation.print(command_help(arguments.tool, *spec));
  return exit_ok;
}

int version(Invocation& invocation) {
  invocation.print_line(management::compatible_version);
  return exit_ok;
}

}  // namespace

std::string tool_usage(std::string_view tool) {
  std::string text = fmt::format(
      "\n{}\n\n{} [--node <node>] [--timeout <timeout>] [--longnames] [--quiet] <command> "
      "[<command options>]\n\nAvailable commands:\n",
      bold("Usage"), tool);
  std::size_t width = 0;
  std::vector<std::string_view> groups;
  for (const CommandSpec& spec : commands_of(tool)) {
    width = std::max(width, spec.name.size());
    if (std::ranges::find(groups, spec.group) == groups.end()) groups.push_back(spec.group);
  }
  for (std::string_view group : groups) {
    text += fmt::format("\n{}:\n\n", bold(group));
    for (const CommandSpec& spec : commands_of(tool))
      if (spec.group == group)
        text += fmt::format("   {:<{}}  {}\n", spec.name, width, spec.summary);
  }
  return text + fmt::format("\nUse '{} help <command>' to learn more about a specific command\n",
                            tool);
}

std::string command_help(std::string_view tool, const CommandSpec& spec) {
  return fmt::format("\n{}\n\n{}\n\n{}\n\n\n{}\n\n{}\n", bold("Usage"), usage_line(tool, spec),
                     spec.summary, bold("General Options"), general_options_text);
}

std::vector<CommandSpec> help_commands() {
  return {
      {"help", "Help", "help [<command>]", "Displays usage information for a command", 0, 1, {},
       false, nullptr, nullptr, help},
      {"version", "Help", "version", "Displays the version whose behaviour is offered", 0, 0, {},
       false, nullptr, nullptr, version},
  };
}

}  // namespace warren::cli
