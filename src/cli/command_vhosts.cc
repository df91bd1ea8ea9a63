// Virtual hosts and policies.
#include <fmt/format.h>

#include "cli/invocation.h"

namespace warren::cli {
namespace {

using Banner = std::string (*)(const Arguments&, const std::string&);

}  // namespace

std::vector<CommandSpec> vhost_commands() {
  const std::string_view group = "Virtual hosts";
  const Banner add = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Adding vhost \"{}\" ...", arguments.positional[0]);
  };
  const Banner tags = [](const Arguments& arguments, const std::string&) {
    const auto& words = arguments.positional;
    return fmt::format("Setting tags for virtual host \"{}\" to [{}] ...", words[0],
                       fmt::join(words.begin() + 1, words.end(), ", "));
  };
  const Banner remove = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Deleting vhost \"{}\" ...", arguments.positional[0]);
  };
  const Banner trace_on = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Starting tracing for vhost \"{}\" ...", arguments.vhost());
  };
  const Banner trace_off = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Stopping tracing for vhost \"{}\" ...", arguments.vhost());
  };
  return {
      {"add_vhost", group,
       "add_vhost <vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" "
       "--default-queue-type classic]",
       "Creates a virtual host", 1, 1,
       {{"description", OptionKind::text},
        {"tags", OptionKind::text},
        {"default-queue-type", OptionKind::text}},
       true, add},
      {"delete_vhost", group, "delete_vhost <vhost>",
       "Deletes a virtual host with all that it holds", 1, 1, {}, true, remove},
      {"set_vhost_tags", group, "set_vhost_tags <vhost> <tag> [...]",
       "Sets the tags of a virtual host", 1, any_number, {}, true, tags},
      {"trace_off", group, "trace_off [--vhost <vhost>]",
       "Ends the copies to amq.rabbitmq.trace", 0, any_number, {}, true, trace_off},
      {"trace_on", group, "trace_on [--vhost <vhost>]",
       "Copies what the node's clients publish and get to amq.rabbitmq.trace, until it stops", 0,
       any_number, {}, true, trace_on},
  };
}

std::vector<CommandSpec> policy_commands() {
  const std::string_view group = "Policies";
  const Banner set = [](const Arguments& arguments, const std::string&) {
    return fmt::format(
        "Setting policy \"{}\" for pattern \"{}\" to \"{}\" with priority \"{}\" for vhost \"{}\" "
        "...",
        arguments.positional[0], arguments.positional[1], arguments.positional[2],
        arguments.value("priority", "0"), arguments.vhost());
  };
  const Banner set_operator = [](const Arguments& arguments, const std::string&) {
    return fmt::format(
        "Setting operator policy override \"{}\" for pattern \"{}\" to \"{}\" with priority "
        "\"{}\" for vhost \"{}\" ...",
        arguments.positional[0], arguments.positional[1], arguments.positional[2],
        arguments.value("priority", "0"), arguments.vhost());
  };
  const Banner clear_operator = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Clearing operator policy \"{}\" on vhost \"{}\" ...",
                       arguments.positional[0], arguments.vhost());
  };
  const Banner list_operator = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing operator policy overrides for vhost \"{}\" ...",
                       arguments.vhost());
  };
  const Banner clear = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Clearing policy \"{}\" on vhost \"{}\" ...", arguments.positional[0],
                       arguments.vhost());
  };
  const Banner list = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing policies for vhost \"{}\" ...", arguments.vhost());
  };
  return {
      {"clear_operator_policy", group, "clear_operator_policy [--vhost <vhost>] <name>",
       "Removes an operator policy", 1, 1, {}, true, clear_operator},
      {"clear_policy", group, "clear_policy [--vhost <vhost>] <name>", "Removes a policy", 1, 1,
       {}, true, clear},
      {"list_operator_policies", group,
       "list_operator_policies [--vhost <vhost>] [--no-table-headers]",
       "Lists the operator policies of a vhost", 0, 0, {}, true, list_operator},
      {"list_policies", group, "list_policies [--vhost <vhost>] [--no-table-headers]",
       "Lists the policies of a vhost", 0, 0, {}, true, list},
      {"set_operator_policy", group,
       "set_operator_policy [--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] "
       "<name> <pattern> <definition>",
       "Sets or changes an operator policy, which cuts what arguments and policies say", 3, 3,
       {{"priority", OptionKind::number}, {"apply-to", OptionKind::text}}, true, set_operator},
      {"set_policy", group,
       "set_policy [--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> "
       "<pattern> <definition>",
       "Sets or changes a policy", 3, 3,
       {{"priority", OptionKind::number}, {"apply-to", OptionKind::text}}, true, set},
  };
}

}  // namespace warren::cli
