#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warren::cli {

enum class OptionKind {
  flag,    ///< --quiet
  text,    ///< --vhost V or --vhost=V
  number,  ///< a whole number; anything else makes the option invalid
};

struct OptionSpec {
  std::string_view name;  ///< "apply-to"
  OptionKind kind = OptionKind::flag;
  char letter = 0;  ///< 'p' for -p, or none
};

/// A command line taken apart. Options may stand anywhere; "--" ends them.
struct Arguments {
  std::string tool;                ///< "rabbitmqctl"
  std::vector<std::string> given;  ///< as typed, without the tool
  std::string command;             ///< empty when there is none
  std::vector<std::string> positional;
  /// By long name; a flag's value is "true".
  std::map<std::string, std::string, std::less<>> options;
  /// Options that are not known, or whose value does not fit: as typed, and that value.
  std::vector<std::pair<std::string, std::string>> invalid;

  bool has(std::string_view option) const { return options.contains(option); }
  std::string value(std::string_view option, std::string_view otherwise = "") const;
  std::optional<long long> number(std::string_view option) const;
  std::string vhost() const { return value("vhost", "/"); }
  bool is_quiet() const { return has("quiet") || has("silent"); }
  /// The words as typed, for messages.
  std::string given_text() const;
};

/// The options that every command takes.
std::span<const OptionSpec> general_options();

/// Finds the command's name among the words: the first that is neither an option nor the value
/// of one. `all` are the options of all commands.
std::string find_command_word(std::span<const std::string> words, std::span<const OptionSpec> all);

/// Takes the words apart, where `own` are the options of the command besides the general ones.
Arguments parse_arguments(std::string tool, std::vector<std::string> words,
                          std::span<const OptionSpec> own);

}  // namespace warren::cli
