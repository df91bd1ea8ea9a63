// What a tool does with its words before a command runs.
#include <fmt/format.h>

#include <cstdio>
#include <iterator>

#include "cli/help.h"
#include "cli/invocation.h"

extern char** environ;

namespace warren::cli {
namespace {

int complain(int status, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  return status;
}

std::vector<OptionSpec> options_of_all(std::string_view tool) {
  std::vector<OptionSpec> all;
  for (const CommandSpec& spec : commands_of(tool))
    all.insert(all.end(), spec.options.begin(), spec.options.end());
  return all;
}

/// Where things are, with the node that -n names instead of the default.
base::Result<server::Environment> resolve_environment(const Arguments& arguments) {
  server::Variables variables;
  for (char** at = environ; at && *at; ++at) {
    const std::string_view entry = *at;
    const std::size_t equals = entry.find('=');
    if (equals != std::string_view::npos)
      variables[std::string(entry.substr(0, equals))] = entry.substr(equals + 1);
  }
  server::Host host = server::Host::of_this_system();
  if (arguments.has("longnames")) host.short_name = host.full_name;
  if (arguments.has("node")) {
    TRY_ASSIGN(std::string node, server::complete_node_name(arguments.value("node"), host));
    variables["RABBITMQ_NODENAME"] = node;
  }
  return server::Environment::resolve(variables, host);
}

int fail_unknown_command(const std::string& tool, const std::string& typed) {
  if (auto near = suggest_command(tool, typed))
    return complain(exit_usage, fmt::format("\nCommand '{}' not found. \nDid you mean '{}'? \n\n",
                                            typed, *near));
  return complain(exit_usage, fmt::format("\nCommand '{}' not found. \n", typed) +
                                  tool_usage(tool));
}

}  // namespace

int run_tool(const std::string& tool, std::vector<std::string> words) {
  const std::string name = find_command_word(words, options_of_all(tool));
  const CommandSpec* spec = name.empty() ? nullptr : find_command(tool, name);
  if (!name.empty() && !spec) return fail_unknown_command(tool, name);
  Arguments arguments =
      parse_arguments(tool, std::move(words), spec ? spec->options : std::vector<OptionSpec>{});
  if (!spec) {
    if (!arguments.has("help")) return complain(exit_usage, tool_usage(tool));
    std::fputs(tool_usage(tool).c_str(), stdout);
    return exit_ok;
  }
  if (arguments.has("help")) {
    std::fputs(command_help(tool, *spec).c_str(), stdout);
    return exit_ok;
  }
  const std::string format_name = arguments.value("formatter", "table");
  const auto format = find_format(format_name);
  if (!format)
    return complain(1, fmt::format("Error: there is no formatter '{}'. Use one of table, "
                                   "pretty_table, json, csv and erlang.\n",
                                   format_name));
  auto environment = resolve_environment(arguments);
  if (!environment)
    return complain(exit_usage, fmt::format("Error: {}\n", environment.error().text));
  Invocation invocation(*spec, prepare_listing(std::move(arguments)), std::move(*environment),
                        *format);
  if (auto complaint = check_arguments(*spec, invocation.arguments()))
    return invocation.fail_usage(*complaint);
  return invocation.run();
}

}  // namespace warren::cli
