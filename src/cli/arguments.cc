#include "cli/arguments.h"

#include <charconv>

namespace warren::cli {
namespace {

constexpr OptionSpec general[] = {
    {"node", OptionKind::text, 'n'},
    {"quiet", OptionKind::flag, 'q'},
    {"silent", OptionKind::flag, 's'},
    {"dry-run"},
    {"vhost", OptionKind::text, 'p'},
    {"timeout", OptionKind::number, 't'},
    {"longnames", OptionKind::flag, 'l'},
    {"formatter", OptionKind::text},
    {"printer", OptionKind::text},
    {"file", OptionKind::text},
    {"script-name", OptionKind::text},
    {"rabbitmq-home", OptionKind::text},
    {"data-dir", OptionKind::text},
    {"mnesia-dir", OptionKind::text},
    {"plugins-dir", OptionKind::text},
    {"enabled-plugins-file", OptionKind::text},
    {"aliases-file", OptionKind::text},
    {"erlang-cookie", OptionKind::text},
    {"print-stacktrace"},
    {"help", OptionKind::flag, '?'},
    {"no-table-headers"},
};

const OptionSpec* find_option(std::string_view word, std::span<const OptionSpec> own) {
  auto search = [&](std::span<const OptionSpec> specs) -> const OptionSpec* {
    for (const OptionSpec& spec : specs) {
      if (word.starts_with("--") && word.substr(2) == spec.name) return &spec;
      if (word.size() == 2 && word[0] == '-' && spec.letter != 0 && word[1] == spec.letter)
        return &spec;
    }
    return nullptr;
  };
  if (const OptionSpec* found = search(own)) return found;
  return search(general);
}

bool is_option_word(std::string_view word) { return word.size() > 1 && word[0] == '-'; }

bool is_number(std::string_view text) {
  long long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

/// A word like "--vhost=v1", split; the value is empty without "=".
std::pair<std::string, std::optional<std::string>> split_word(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (!word.starts_with("--") || equals == std::string::npos) return {word, std::nullopt};
  return {word.substr(0, equals), word.substr(equals + 1)};
}

/// Reads the option at `at`, with its value, and leaves `at` on the last word that it took.
void read_option(Arguments& arguments, std::span<const OptionSpec> own, std::size_t& at) {
  const auto [word, attached] = split_word(arguments.given[at]);
  const OptionSpec* spec = find_option(word, own);
  if (!spec) {
    arguments.invalid.emplace_back(word, attached.value_or(""));
    return;
  }
  const std::string name(spec->name);
  if (spec->kind == OptionKind::flag) {
    arguments.options[name] = "true";
    return;
  }
  std::string value = attached.value_or("");
  if (!attached) {
    if (at + 1 >= arguments.given.size()) {
      arguments.invalid.emplace_back(word, "");
      return;
    }
    value = arguments.given[++at];
  }
  const bool is_endless = spec->name == "timeout" && value == "infinity";
  if (spec->kind == OptionKind::number && !is_number(value) && !is_endless)
    arguments.invalid.emplace_back("--" + name, value);
  else
    arguments.options[name] = value;
}

}  // namespace

std::string Arguments::value(std::string_view option, std::string_view otherwise) const {
  const auto found = options.find(option);
  return found == options.end() ? std::string(otherwise) : found->second;
}

std::optional<long long> Arguments::number(std::string_view option) const {
  const auto found = options.find(option);
  if (found == options.end() || !is_number(found->second)) return std::nullopt;
  return std::stoll(found->second);
}

std::string Arguments::given_text() const {
  std::string text;
  for (const std::string& word : given) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

std::span<const OptionSpec> general_options() { return general; }

std::string find_command_word(std::span<const std::string> words,
                              std::span<const OptionSpec> all) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!is_option_word(words[i])) return words[i];
    const auto [word, attached] = split_word(words[i]);
    const OptionSpec* spec = find_option(word, all);
    if (spec && spec->kind != OptionKind::flag && !attached) ++i;
  }
  return "";
}

Arguments parse_arguments(std::string tool, std::vector<std::string> words,
                          std::span<const OptionSpec> own) {
  Arguments arguments;
  arguments.tool = std::move(tool);
  arguments.given = std::move(words);
  bool options_ended = false;
  for (std::size_t i = 0; i < arguments.given.size(); ++i) {
    const std::string& word = arguments.given[i];
    if (!options_ended && word == "--") {
      options_ended = true;
    } else if (!options_ended && is_option_word(word)) {
      read_option(arguments, own, i);
    } else if (arguments.command.empty()) {
      arguments.command = word;
    } else {
      arguments.positional.push_back(word);
    }
  }
  return arguments;
}

}  // namespace warren::cli
