#include <cctype>

#include "server/environment.h"

namespace warren::server {
namespace {

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

std::string find_value(std::string_view name, const Variables& own, const Variables& outer) {
  std::string_view bare = name.starts_with("RABBITMQ_") ? name.substr(9) : name;
  if (auto at = own.find(bare); at != own.end()) return at->second;
  if (auto at = outer.find(name); at != outer.end()) return at->second;
  return {};
}

/// Takes the "$NAME" or "${NAME}" at the front of the text (after the dollar sign).
std::string take_expansion(std::string_view& text, const Variables& own, const Variables& outer) {
  bool is_braced = text.starts_with('{');
  if (is_braced) text.remove_prefix(1);
  std::size_t size = 0;
  while (size < text.size() && is_name_char(text[size])) ++size;
  std::string_view name = text.substr(0, size);
  text.remove_prefix(size);
  if (is_braced) text.remove_prefix(std::min(text.find('}'), text.size() - 1) + 1);
  if (name.empty()) return "$";
  return find_value(name, own, outer);
}

/// The value of an assignment up to the first blank outside of quotes.
std::string take_value(std::string_view text, const Variables& own, const Variables& outer) {
  std::string value;
  char quote = '\0';
  while (!text.empty()) {
    char c = text.front();
    text.remove_prefix(1);
    if (quote == '\0' && (c == ' ' || c == '\t' || c == ';' || c == '#')) break;
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && !text.empty()) {
      value.push_back(text.front());
      text.remove_prefix(1);
    } else if (c == '$' && quote != '\'' && !text.empty()) {
      value += take_expansion(text, own, outer);
    } else {
      value.push_back(c);
    }
  }
  return value;
}

}  // namespace

Variables parse_env_file(std::string_view text, const Variables& variables) {
  Variables found;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.starts_with("export ")) {
      line.remove_prefix(7);
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    }
    std::size_t size = 0;
    while (size < line.size() && is_name_char(line[size])) ++size;
    if (size == 0 || size == line.size() || line[size] != '=') continue;
    std::string_view name = line.substr(0, size);
    if (name.starts_with("RABBITMQ_")) name.remove_prefix(9);
    found[std::string(name)] = take_value(line.substr(size + 1), found, variables);
  }
  return found;
}

}  // namespace warren::server
