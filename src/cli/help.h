#pragma once

#include <string>
#include <string_view>

#include "cli/command_spec.h"

namespace warren::cli {

/// How a tool is used, with all its commands by group.
std::string tool_usage(std::string_view tool);
/// How a command is used, with the general options.
std::string command_help(std::string_view tool, const CommandSpec& spec);

}  // namespace warren::cli
