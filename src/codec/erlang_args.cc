#include "codec/erlang_args.h"

#include <fmt/format.h>

#include <optional>

namespace warren::codec::erlang {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Takes one word off the front of the text, without the quotes; empty at the end.
std::optional<std::string> take_word(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  if (text.empty()) return {};
  std::string word;
  char quote = '\0';
  while (!text.empty() && (quote != '\0' || !is_blank(text.front()))) {
    char c = text.front();
    text.remove_prefix(1);
    bool is_escape = c == '\\' && quote != '\'' && !text.empty() &&
                     (quote == '\0' || text.front() == '"' || text.front() == '\\');
    if (is_escape) {
      word.push_back(text.front());
      text.remove_prefix(1);
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = '\0';
    } else {
      word.push_back(c);
    }
  }
  return word;
}

bool is_flag(std::string_view word) {
  bool is_number = word.size() > 1 && word[1] >= '0' && word[1] <= '9';
  return word.size() > 1 && ((word[0] == '-' && !is_number) || word[0] == '+');
}

}  // namespace

base::Result<std::vector<AppSetting>> parse_start_args(std::string_view text) {
  std::vector<AppSetting> settings;
  std::string app;
  std::optional<std::string> word = take_word(text);
  while (word) {
    if (is_flag(*word)) {
      app = (*word)[0] == '-' ? word->substr(1) : std::string();
      word = take_word(text);
      continue;
    }
    std::string key = std::move(*word);
    word = take_word(text);
    if (!word || is_flag(*word)) continue;
    if (!app.empty()) {
      auto value = parse_term(*word);
      if (!value)
        return base::fail(base::ErrorCode::invalid_argument,
                          fmt::format("-{} {} {}: {}", app, key, *word, value.error().text));
      settings.push_back({app, std::move(key), std::move(*value)});
    }
    word = take_word(text);
  }
  return settings;
}

}  // namespace warren::codec::erlang
