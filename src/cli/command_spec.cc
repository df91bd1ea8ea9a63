#include "cli/command_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "management/columns.h"

namespace warren::cli {
namespace {

std::vector<CommandSpec> joined(std::initializer_list<std::vector<CommandSpec>> families) {
  std::vector<CommandSpec> all;
  for (const std::vector<CommandSpec>& family : families)
    all.insert(all.end(), family.begin(), family.end());
  return all;
}

/// How many letters are to be changed, added or left out.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// Columns that a listing does not know.
std::string unknown_columns(const Arguments& arguments) {
  const management::Columns* columns = management::find_columns(arguments.command);
  if (!columns) return "";
  std::vector<std::string> unknown;
  for (const std::string& column : arguments.positional)
    if (std::ranges::find(columns->known, column) == columns->known.end())
      unknown.push_back(column);
  std::ranges::sort(unknown);
  return fmt::format("{}", fmt::join(unknown, ","));
}

}  // namespace

const std::vector<CommandSpec>& commands_of(std::string_view tool) {
  static const std::map<std::string_view, std::vector<CommandSpec>> tools = {
      {"rabbitmqctl",
       joined({help_commands(), node_commands(), cluster_commands(), user_commands(),
               vhost_commands(), limit_commands(), listing_commands(), status_commands(),
               policy_commands(), queue_commands(), threshold_commands()})},
      {"rabbitmq-diagnostics",
       joined({help_commands(), diagnostics_commands(), listing_commands()})},
      {"rabbitmq-plugins", joined({help_commands(), plugins_commands()})}};
  const auto found = tools.find(tool);
  return found == tools.end() ? tools.at("rabbitmqctl") : found->second;
}

const CommandSpec* find_command(std::string_view tool, std::string_view name) {
  const std::vector<CommandSpec>& all = commands_of(tool);
  const auto found = std::ranges::find(all, name, &CommandSpec::name);
  return found == all.end() ? nullptr : &*found;
}

std::optional<std::string> suggest_command(std::string_view tool, std::string_view typed) {
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(1, typed.size() / 4) + 1;
  for (const CommandSpec& spec : commands_of(tool))
    if (const std::size_t far = distance(typed, spec.name); far < least) {
      least = far;
      nearest = spec.name;
    }
  if (nearest.empty()) return std::nullopt;
  return std::string(nearest);
}

std::optional<Complaint> check_arguments(const CommandSpec& spec, const Arguments& arguments) {
  const std::string frame = "Error (argument validation): ";
  if (!arguments.invalid.empty()) {
    std::string text = frame + "Invalid options for this command:";
    for (const auto& [option, value] : arguments.invalid)
      text += fmt::format("\n{} : {}", option, value);
    return Complaint{64, text};
  }
  if (arguments.positional.size() < spec.least)
    return Complaint{64, frame + "not enough arguments."};
  if (arguments.positional.size() > spec.most)
    return Complaint{64, frame + "too many arguments."};
  if (const std::string unknown = unknown_columns(arguments); !unknown.empty())
    return Complaint{64, fmt::format("{}Info key(s) {} are not supported", frame, unknown)};
  if (!spec.validate) return std::nullopt;
  auto complaint = spec.validate(arguments);
  if (complaint) complaint->text = frame + complaint->text;
  return complaint;
}

}  // namespace warren::cli
