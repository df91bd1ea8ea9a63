// Limits of vhosts and users, and runtime parameters.
#include <fmt/format.h>

#include "cli/invocation.h"

namespace warren::cli {
namespace {

using Banner = std::string (*)(const Arguments&, const std::string&);

std::vector<CommandSpec> vhost_limit_commands() {
  const std::string_view group = "Virtual hosts";
  const Banner set = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Setting vhost limits to \"{}\" for vhost \"{}\" ...",
                       arguments.positional[0], arguments.vhost());
  };
  const Banner clear = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Clearing vhost \"{}\" limits ...", arguments.vhost());
  };
  const Banner list = [](const Arguments& arguments, const std::string&) {
    if (arguments.has("global")) return std::string("Listing limits for all vhosts ...");
    return fmt::format("Listing limits for vhost \"{}\" ...", arguments.vhost());
  };
  return {
      {"clear_vhost_limits", group, "clear_vhost_limits [--vhost <vhost>]",
       "Takes back the limits of a virtual host", 0, 0, {}, true, clear},
      {"list_vhost_limits", group,
       "list_vhost_limits [--vhost <vhost>] [--global] [--no-table-headers]",
       "Shows the limits of one virtual host, or of all", 0, 0, {{"global"}}, true, list},
      {"set_vhost_limits", group, "set_vhost_limits [--vhost <vhost>] <definition>",
       "Limits the connections (max-connections) and queues (max-queues) of a virtual host", 1, 1,
       {}, true, set},
  };
}

std::vector<CommandSpec> user_limit_commands() {
  const std::string_view group = "Users";
  const Banner set = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Setting user limits to \"{}\" for user \"{}\" ...", arguments.positional[1],
                       arguments.positional[0]);
  };
  const Banner clear = [](const Arguments& arguments, const std::string&) {
    const std::string& which = arguments.positional[1];
    if (which == "all")
      return fmt::format("Clearing all limits for user \"{}\" ...", arguments.positional[0]);
    return fmt::format("Clearing \"{}\" limit for user \"{}\" ...", which,
                       arguments.positional[0]);
  };
  const Banner list = [](const Arguments& arguments, const std::string&) {
    if (arguments.has("global")) return std::string("Listing limits for all users ...");
    return fmt::format("Listing limits for user \"{}\" ...", arguments.value("user", "guest"));
  };
  return {
      {"clear_user_limits", group, "clear_user_limits <username> <limit_type> | all",
       "Takes back one limit of a user (max-connections, max-channels), or all", 2, 2, {}, true,
       clear},
      {"list_user_limits", group, "list_user_limits [--user <username>] [--global]",
       "Shows the limits of one user, or of all", 0, 0,
       {{"user", OptionKind::text}, {"global"}}, true, list},
      {"set_user_limits", group, "set_user_limits <username> <definition>",
       "Limits the connections (max-connections) and channels (max-channels) of a user", 2, 2, {},
       true, set},
  };
}

std::vector<CommandSpec> global_parameter_commands() {
  const std::string_view group = "Parameters";
  const Banner set = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Setting global runtime parameter \"{}\" to \"{}\" ...",
                       arguments.positional[0], arguments.positional[1]);
  };
  const Banner clear = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Clearing global runtime parameter \"{}\" ...", arguments.positional[0]);
  };
  const Banner list = [](const Arguments&, const std::string&) {
    return std::string("Listing global runtime parameters ...");
  };
  return {
      {"clear_global_parameter", group, "clear_global_parameter <name>",
       "Removes a global runtime parameter", 1, 1, {}, true, clear},
      {"list_global_parameters", group, "list_global_parameters [--no-table-headers]",
       "Lists the global runtime parameters", 0, 0, {}, true, list},
      {"set_global_parameter", group, "set_global_parameter <name> <value>",
       "Sets a global runtime parameter", 2, 2, {}, true, set},
  };
}

std::vector<CommandSpec> vhost_parameter_commands() {
  const std::string_view group = "Parameters";
  const Banner set = [](const Arguments& arguments, const std::string&) {
    const auto& words = arguments.positional;
    return fmt::format(
        "Setting runtime parameter \"{}\" for component \"{}\" to \"{}\" in vhost \"{}\" ...",
        words[1], words[0], words[2], arguments.vhost());
  };
  const Banner clear = [](const Arguments& arguments, const std::string&) {
    const auto& words = arguments.positional;
    return fmt::format("Clearing runtime parameter \"{}\" for component \"{}\" on vhost \"{}\" ...",
                       words[1], words[0], arguments.vhost());
  };
  const Banner list = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing runtime parameters for vhost \"{}\" ...", arguments.vhost());
  };
  return {
      {"clear_parameter", group, "clear_parameter [--vhost <vhost>] <component> <name>",
       "Removes a runtime parameter of a vhost", 2, 2, {}, true, clear},
      {"list_parameters", group, "list_parameters [--vhost <vhost>] [--no-table-headers]",
       "Lists the runtime parameters of a vhost", 0, 0, {}, true, list},
      {"set_parameter", group, "set_parameter [--vhost <vhost>] <component> <name> <value>",
       "Sets a runtime parameter of a vhost", 3, 3, {}, true, set},
  };
}

}  // namespace

std::vector<CommandSpec> limit_commands() {
  std::vector<CommandSpec> all;
  for (const auto& family : {vhost_limit_commands(), user_limit_commands(),
                             global_parameter_commands(), vhost_parameter_commands()})
    all.insert(all.end(), family.begin(), family.end());
  return all;
}

}  // namespace warren::cli
