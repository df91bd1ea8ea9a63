#include "codec/erlang_text.h"

#include <algorithm>
#include <iterator>

namespace warren::codec::erlang {
namespace {

/// Takes one UTF-8 character off the front; false on malformed octets.
bool take_code_point(std::string_view& text, std::uint32_t& code_point) {
  auto lead = static_cast<unsigned char>(text.front());
  std::size_t size = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (size == 0 || size > text.size() || lead >= 0xF8) return false;
  code_point = size == 1 ? lead : lead & (0xFFu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    auto octet = static_cast<unsigned char>(text[i]);
    if ((octet & 0xC0) != 0x80) return false;
    code_point = (code_point << 6) | (octet & 0x3F);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool is_surrogate = code_point >= 0xD800 && code_point < 0xE000;
  if (code_point < smallest[size] || code_point > 0x10FFFF || is_surrogate) return false;
  text.remove_prefix(size);
  return true;
}

}  // namespace

void append_utf8(std::string& out, std::uint32_t c) {
  auto put = [&](std::uint32_t octet) { out.push_back(static_cast<char>(octet)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> result;
  result.reserve(text.size());
  std::string_view rest = text;
  while (!rest.empty()) {
    std::uint32_t code_point = 0;
    if (!take_code_point(rest, code_point)) {
      result.clear();
      for (char octet : text) result.push_back(static_cast<unsigned char>(octet));
      return result;
    }
    result.push_back(code_point);
  }
  return result;
}

bool is_atom_start(std::uint32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0xFF && c != 0xF7);
}

bool is_atom_rest(std::uint32_t c) {
  return is_atom_start(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '@' || (c >= 0xC0 && c <= 0xDE && c != 0xD7);
}

bool is_reserved_word(std::string_view word) {
  static constexpr std::string_view words[] = {
      "after", "and",   "andalso", "band",    "begin", "bnot", "bor",  "bsl", "bsr",   "bxor",
      "case",  "catch", "cond",    "div",     "end",   "fun",  "if",   "let", "maybe", "not",
      "of",    "or",    "orelse",  "receive", "rem",   "try",  "when", "xor"};
  return std::ranges::find(words, word) != std::end(words);
}

}  // namespace warren::codec::erlang
