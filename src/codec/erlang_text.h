#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The characters of Erlang's text form, shared by the parser and the printer.
namespace warren::codec::erlang {

void append_utf8(std::string& out, std::uint32_t code_point);
/// The code points of `text`; where it isn't UTF-8, each octet counts as a Latin-1 character.
std::vector<std::uint32_t> code_points(std::string_view text);

bool is_atom_start(std::uint32_t c);
bool is_atom_rest(std::uint32_t c);
bool is_reserved_word(std::string_view word);

}  // namespace warren::codec::erlang
