#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "codec/erlang_term.h"
#include "codec/erlang_text.h"

namespace warren::codec::erlang {
namespace {

using base::Result;

constexpr std::size_t max_text_size = 1024 * 1024;
constexpr int max_depth = 100;

bool is_digit(std::uint32_t c) {
  return c >= '0' && c <= '9';
}

std::uint32_t digit_value(std::uint32_t c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

/// Recursive descent over code points; `position_` never passes the end.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(code_points(text)) {}

  Result<Term> term(int depth = 0);
  /// Skips blanks and comments, then takes `mark` if it comes next.
  bool take(std::string_view mark);
  bool take_full_stop();
  bool at_end();
  base::Error error(std::string_view what) const;
  base::Error unexpected_here(std::string_view wanted) const;

 private:
  std::uint32_t peek(std::size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : 0;
  }
  void skip_blanks();
  Result<std::vector<Term>> items(std::string_view close, int depth);
  Result<Term> list(int depth);
  Result<Term> map(int depth);
  Result<Term> binary();
  Result<Term> strings();
  Result<Term> number();
  Result<Term> float_from(std::size_t start);
  Result<Term> word();
  Result<std::string> quoted(std::uint32_t quote);
  Result<std::uint32_t> character();
  Result<std::uint32_t> escape();
  std::optional<std::int64_t> digits(std::uint32_t base);

  std::vector<std::uint32_t> text_;
  std::size_t position_ = 0;
};

base::Error Parser::error(std::string_view what) const {
  auto lines = 1 + std::count(text_.begin(), text_.begin() + static_cast<long>(position_), '\n');
  return {base::ErrorCode::invalid_argument, fmt::format("line {}: {}", lines, what)};
}

base::Error Parser::unexpected_here(std::string_view wanted) const {
  if (position_ >= text_.size())
    return error(fmt::format("expected {}, but the text ends", wanted));
  std::string found;
  append_utf8(found, peek());
  return error(fmt::format("expected {}, but found {}", wanted, found));
}

void Parser::skip_blanks() {
  while (position_ < text_.size()) {
    if (peek() == '%') {
      while (position_ < text_.size() && peek() != '\n') ++position_;
    } else if (peek() > ' ' && peek() != 0xA0) {
      return;
    } else {
      ++position_;
    }
  }
}

bool Parser::take(std::string_view mark) {
  skip_blanks();
  for (std::size_t i = 0; i < mark.size(); ++i)
    if (peek(i) != static_cast<unsigned char>(mark[i])) return false;
  position_ += mark.size();
  return true;
}

bool Parser::take_full_stop() {
  skip_blanks();
  if (peek() != '.') return false;
  bool is_last = position_ + 1 == text_.size() || peek(1) <= ' ' || peek(1) == '%';
  if (is_last) ++position_;
  return is_last;
}

bool Parser::at_end() {
  skip_blanks();
  return position_ == text_.size();
}

Result<Term> Parser::term(int depth) {
  if (depth > max_depth) return std::unexpected(error("nested too deeply"));
  if (take("{")) {
    TRY_ASSIGN(std::vector<Term> taken, items("}", depth));
    return Tuple(std::move(taken));
  }
  if (take("[")) return list(depth);
  if (take("#{")) return map(depth);
  if (take("<<")) return binary();
  std::uint32_t c = peek();
  if (c == '"') return strings();
  if (c == '\'') {
    TRY_ASSIGN(std::string name, quoted('\''));
    return Atom{std::move(name)};
  }
  if (is_digit(c) || c == '-' || c == '+' || c == '$') return number();
  if (is_atom_start(c)) return word();
  if ((c >= 'A' && c <= 'Z') || c == '_')
    return std::unexpected(error("a name that begins with a capital must be quoted: 'Name'"));
  return std::unexpected(unexpected_here("a term"));
}

/// After an opening bracket: terms between commas, up to `close`.
Result<std::vector<Term>> Parser::items(std::string_view close, int depth) {
  std::vector<Term> taken;
  if (take(close)) return taken;
  do {
    TRY_ASSIGN(Term item, term(depth + 1));
    taken.push_back(std::move(item));
  } while (take(","));
  if (!take(close)) return std::unexpected(unexpected_here(fmt::format("',' or '{}'", close)));
  return taken;
}

Result<Term> Parser::list(int depth) {
  List list;
  if (take("]")) return list;
  do {
    TRY_ASSIGN(Term item, term(depth + 1));
    list.items.push_back(std::move(item));
  } while (take(","));
  if (take("|")) {
    TRY_ASSIGN(Term tail, term(depth + 1));
    const std::vector<Term>* more = tail.items();
    if (more == nullptr) return std::unexpected(error("the tail of a list must be a list"));
    list.items.insert(list.items.end(), more->begin(), more->end());
  }
  if (!take("]")) return std::unexpected(unexpected_here("',' or ']'"));
  return list;
}

Result<Term> Parser::map(int depth) {
  Map map;
  if (take("}")) return map;
  do {
    TRY_ASSIGN(Term key, term(depth + 1));
    if (!take("=>")) return std::unexpected(unexpected_here("'=>'"));
    TRY_ASSIGN(Term value, term(depth + 1));
    map.pairs.emplace_back(std::move(key), std::move(value));
  } while (take(","));
  if (!take("}")) return std::unexpected(unexpected_here("',' or '}'"));
  return map;
}

Result<Term> Parser::binary() {
  Binary binary;
  if (take(">>")) return binary;
  do {
    skip_blanks();
    if (peek() == '"') {
      TRY_ASSIGN(std::string part, quoted('"'));
      if (take("/utf8")) {
        binary.bytes += part;
      } else {
        for (std::uint32_t c : code_points(part)) binary.bytes.push_back(static_cast<char>(c));
      }
    } else {
      TRY_ASSIGN(Term octet, number());
      const auto* value = octet.as<std::int64_t>();
      if (value == nullptr) return std::unexpected(error("a binary holds integers and strings"));
      binary.bytes.push_back(static_cast<char>(*value));
    }
  } while (take(","));
  if (!take(">>")) return std::unexpected(unexpected_here("',' or '>>'"));
  return binary;
}

/// Neighbouring strings are one string.
Result<Term> Parser::strings() {
  String string;
  do {
    TRY_ASSIGN(std::string part, quoted('"'));
    string.text += part;
    skip_blanks();
  } while (peek() == '"');
  return string;
}

Result<std::string> Parser::quoted(std::uint32_t quote) {
  std::string text;
  std::size_t start = position_++;
  while (position_ < text_.size() && peek() != quote) {
    TRY_ASSIGN(std::uint32_t c, character());
    append_utf8(text, c);
  }
  if (position_ >= text_.size()) {
    position_ = start;
    return std::unexpected(error("a quote is never closed"));
  }
  ++position_;
  return text;
}

Result<std::uint32_t> Parser::character() {
  if (peek() != '\\') return text_[position_++];
  ++position_;
  return escape();
}

Result<std::uint32_t> Parser::escape() {
  static constexpr std::string_view letters = "bdefnrstv";
  static constexpr std::uint32_t meanings[] = {8, 127, 27, 12, 10, 13, 32, 9, 11};
  if (position_ >= text_.size()) return std::unexpected(error("a backslash ends the text"));
  std::uint32_t c = text_[position_++];
  if (c == 'x') {
    bool is_braced = peek() == '{';
    if (is_braced) ++position_;
    std::uint32_t value = 0;
    std::size_t count = 0;
    for (; count < (is_braced ? 6u : 2u) && digit_value(peek()) < 16; ++count)
      value = value * 16 + digit_value(text_[position_++]);
    bool is_closed = !is_braced || peek() == '}';
    bool is_character = value <= 0x10FFFF && !(value >= 0xD800 && value < 0xE000);
    if (count == 0 || !is_closed || !is_character)
      return std::unexpected(error("malformed \\x escape"));
    if (is_braced) ++position_;
    return value;
  }
  if (c >= '0' && c <= '7') {
    std::uint32_t value = c - '0';
    for (int i = 0; i < 2 && peek() >= '0' && peek() <= '7'; ++i)
      value = value * 8 + (text_[position_++] - '0');
    return value;
  }
  if (c == '^' && position_ < text_.size()) return text_[position_++] & 31;
  std::size_t letter = c < 128 ? letters.find(static_cast<char>(c)) : std::string_view::npos;
  return letter == std::string_view::npos ? c : meanings[letter];
}

/// Digits with single underscores between them; empty when there are none or they are too many.
std::optional<std::int64_t> Parser::digits(std::uint32_t base) {
  std::int64_t value = 0;
  if (digit_value(peek()) >= base) return {};
  while (digit_value(peek()) < base || (peek() == '_' && digit_value(peek(1)) < base)) {
    std::uint32_t c = text_[position_++];
    if (c == '_') continue;
    if (__builtin_mul_overflow(value, std::int64_t{base}, &value) ||
        __builtin_add_overflow(value, std::int64_t{digit_value(c)}, &value))
      return {};
  }
  return value;
}

Result<Term> Parser::number() {
  std::size_t start = position_;
  bool is_negative = peek() == '-';
  if (is_negative || peek() == '+') {
    ++position_;
    skip_blanks();
  }
  if (peek() == '$') {
    ++position_;
    if (position_ >= text_.size()) return std::unexpected(unexpected_here("a character"));
    TRY_ASSIGN(std::uint32_t c, character());
    return std::int64_t{c} * (is_negative ? -1 : 1);
  }
  if (!is_digit(peek())) return std::unexpected(unexpected_here("a number"));
  std::size_t ahead = 0;
  while (is_digit(peek(ahead)) || peek(ahead) == '_') ++ahead;
  if (peek(ahead) == '.' && is_digit(peek(ahead + 1))) return float_from(start);
  std::optional<std::int64_t> value = digits(10);
  if (value && peek() == '#' && *value >= 2 && *value <= 36) {
    ++position_;
    value = digits(static_cast<std::uint32_t>(*value));
  }
  if (!value) return std::unexpected(error("malformed or too large integer"));
  return is_negative ? -*value : *value;
}

Result<Term> Parser::float_from(std::size_t start) {
  std::string digits;
  auto take_digits = [&] {
    while (is_digit(peek())) digits.push_back(static_cast<char>(text_[position_++]));
  };
  if (text_[start] == '-') digits.push_back('-');
  take_digits();
  digits.push_back('.');
  ++position_;
  take_digits();
  bool has_sign = peek(1) == '-' || peek(1) == '+';
  if ((peek() == 'e' || peek() == 'E') && is_digit(peek(has_sign ? 2 : 1))) {
    digits.push_back('e');
    if (peek(1) == '-') digits.push_back('-');
    position_ += has_sign ? 2 : 1;
    take_digits();
  }
  double value = 0;
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(value))
    return std::unexpected(error("malformed float"));
  return value;
}

Result<Term> Parser::word() {
  Atom atom;
  while (is_atom_rest(peek())) append_utf8(atom.name, text_[position_++]);
  if (is_reserved_word(atom.name))
    return std::unexpected(error(fmt::format("'{}' is a reserved word: quote it", atom.name)));
  return atom;
}

base::Error too_long() {
  return {base::ErrorCode::invalid_argument, "longer than 1 MiB"};
}

}  // namespace

base::Result<Term> parse_term(std::string_view text) {
  if (text.size() > max_text_size) return std::unexpected(too_long());
  Parser parser(text);
  TRY_ASSIGN(Term term, parser.term());
  parser.take_full_stop();
  if (!parser.at_end()) return std::unexpected(parser.unexpected_here("the end"));
  return term;
}

base::Result<std::vector<Term>> parse_terms(std::string_view text) {
  if (text.size() > max_text_size) return std::unexpected(too_long());
  Parser parser(text);
  std::vector<Term> terms;
  while (!parser.at_end()) {
    TRY_ASSIGN(Term term, parser.term());
    terms.push_back(std::move(term));
    if (!parser.take_full_stop()) return std::unexpected(parser.unexpected_here("a full stop"));
  }
  return terms;
}

}  // namespace warren::codec::erlang
