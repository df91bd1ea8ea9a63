#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "codec/erlang_term.h"
#include "codec/erlang_text.h"

namespace warren::codec::erlang {
namespace {

/// One less than the 80 columns of a line.
constexpr std::size_t line_size = 79;
/// What belongs to a tag is set under it up to this column; further right, less is indented.
constexpr std::size_t last_aligned_column = 38;
constexpr std::size_t unlimited = SIZE_MAX;

/// A term ready to be laid out: text that stays whole, or parts between brackets.
struct Node {
  enum class Kind { leaf, octets, sequence, tagged, map, association };
  Kind kind = Kind::leaf;
  std::string open;  ///< a leaf's text, or the opening bracket
  std::string close;
  std::vector<Node> parts;
  std::size_t size = 0;  ///< columns when printed flat
};

std::size_t columns(std::string_view text) {
  auto is_first_octet = [](char octet) {
    return (static_cast<unsigned char>(octet) & 0xC0) != 0x80;
  };
  return static_cast<std::size_t>(std::ranges::count_if(text, is_first_octet));
}

bool is_printable(std::uint32_t c) {
  return (c >= 32 && c < 127) || (c >= 160 && c < 256) || (c >= 8 && c <= 13) || c == 27;
}

std::string_view separator(Node::Kind kind) {
  return kind == Node::Kind::association ? " => " : ",";
}

Node leaf(std::string text) {
  Node node;
  node.size = columns(text);
  node.open = std::move(text);
  return node;
}

Node bracketed(Node::Kind kind, std::string_view open, std::string_view close,
               std::vector<Node> parts) {
  Node node{.kind = kind,
            .open = std::string(open),
            .close = std::string(close),
            .parts = std::move(parts)};
  node.size = open.size() + close.size();
  for (const Node& part : node.parts) node.size += part.size;
  if (!node.parts.empty()) node.size += (node.parts.size() - 1) * separator(kind).size();
  return node;
}

std::string quoted(const std::vector<std::uint32_t>& characters, char quote) {
  std::string text(1, quote);
  for (std::uint32_t c : characters) {
    static constexpr std::string_view letters = "btnvfr";
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      text.push_back('\\');
      text.push_back(static_cast<char>(c));
    } else if (c >= 8 && c <= 13) {
      text.push_back('\\');
      text.push_back(letters[c - 8]);
    } else if (c == 27) {
      text += "\\e";
    } else if (c == 127) {
      text += "\\d";
    } else if (c < 32 || (c >= 128 && c < 160)) {
      text += fmt::format("\\{:03o}", c);
    } else if (c > 255) {
      text += fmt::format("\\x{{{:X}}}", c);
    } else {
      append_utf8(text, c);
    }
  }
  text.push_back(quote);
  return text;
}

std::string print_atom(const std::string& name) {
  std::vector<std::uint32_t> characters = code_points(name);
  bool is_plain = !characters.empty() && is_atom_start(characters.front()) &&
                  std::ranges::all_of(characters, is_atom_rest) && !is_reserved_word(name);
  return is_plain ? name : quoted(characters, '\'');
}

/// The shortest digits that read back the same, with a point, and an exponent where that is
/// shorter.
std::string print_float(double value) {
  std::string scientific = fmt::format("{:e}", std::abs(value));
  for (int precision = 0; precision <= 17; ++precision) {
    scientific = fmt::format("{:.{}e}", std::abs(value), precision);
    if (std::strtod(scientific.c_str(), nullptr) == std::abs(value)) break;
  }
  std::size_t e = scientific.find('e');
  int exponent = std::atoi(scientific.c_str() + e + 1);
  std::string digits = scientific.substr(0, e);
  std::erase(digits, '.');

  int count = static_cast<int>(digits.size());
  std::string with_exponent = digits.substr(0, 1) + "." + (count > 1 ? digits.substr(1) : "0") +
                              "e" + std::to_string(exponent);
  std::string without;
  auto zeros = [](int n) { return std::string(static_cast<std::size_t>(std::max(n, 0)), '0'); };
  if (exponent < 0)
    without = "0." + zeros(-exponent - 1) + digits;
  else if (exponent + 1 >= count)
    without = digits + zeros(exponent + 1 - count) + ".0";
  else
    without = digits.insert(static_cast<std::size_t>(exponent) + 1, ".");
  constexpr double exact_integers = 9007199254740992.0;
  bool is_short = without.size() <= with_exponent.size() && std::abs(value) < exact_integers;
  if (value == 0) without = "0.0";
  return (std::signbit(value) ? "-" : "") + (is_short || value == 0 ? without : with_exponent);
}

Node number_node(std::uint32_t value) {
  return leaf(std::to_string(value));
}

struct NodeMaker {
  Node operator()(const Atom& atom) const { return leaf(print_atom(atom.name)); }
  Node operator()(std::int64_t value) const { return leaf(std::to_string(value)); }
  Node operator()(double value) const { return leaf(print_float(value)); }
  Node operator()(const Opaque& opaque) const { return leaf(opaque.text); }

  Node operator()(const String& string) const { return characters(code_points(string.text)); }

  Node operator()(const Binary& binary) const {
    std::vector<std::uint32_t> octets;
    for (char octet : binary.bytes) octets.push_back(static_cast<unsigned char>(octet));
    if (octets.empty()) return leaf("<<>>");
    if (std::ranges::all_of(octets, is_printable)) return leaf("<<" + quoted(octets, '"') + ">>");
    std::vector<Node> parts;
    std::ranges::transform(octets, std::back_inserter(parts), number_node);
    return bracketed(Node::Kind::octets, "<<", ">>", std::move(parts));
  }

  Node operator()(const Tuple& tuple) const {
    if (tuple.items.empty()) return leaf("{}");
    bool is_tagged = tuple.items.size() > 1 && tuple.items.front().as<Atom>() != nullptr;
    return bracketed(is_tagged ? Node::Kind::tagged : Node::Kind::sequence, "{", "}",
                     nodes(tuple.items));
  }

  Node operator()(const List& list) const {
    auto is_character = [](const Term& item) {
      const auto* value = item.as<std::int64_t>();
      return value != nullptr && *value >= 0 && *value < 256 &&
             is_printable(static_cast<std::uint32_t>(*value));
    };
    if (!std::ranges::all_of(list.items, is_character))
      return bracketed(Node::Kind::sequence, "[", "]", nodes(list.items));
    std::vector<std::uint32_t> text;
    for (const Term& item : list.items)
      text.push_back(static_cast<std::uint32_t>(*item.as<std::int64_t>()));
    return characters(text);
  }

  Node operator()(const Map& map) const {
    if (map.pairs.empty()) return leaf("#{}");
    std::vector<Node> parts;
    for (const auto& [key, value] : map.pairs)
      parts.push_back(bracketed(Node::Kind::association, "", "", {node(key), node(value)}));
    return bracketed(Node::Kind::map, "#{", "}", std::move(parts));
  }

  Node node(const Term& term) const { return std::visit(*this, term.value); }

 private:
  std::vector<Node> nodes(const std::vector<Term>& terms) const {
    std::vector<Node> made;
    for (const Term& term : terms) made.push_back(node(term));
    return made;
  }

  Node characters(const std::vector<std::uint32_t>& text) const {
    if (text.empty()) return leaf("[]");
    if (std::ranges::all_of(text, is_printable)) return leaf(quoted(text, '"'));
    std::vector<Node> parts;
    std::ranges::transform(text, std::back_inserter(parts), number_node);
    return bracketed(Node::Kind::sequence, "[", "]", std::move(parts));
  }
};

void append_flat(std::string& out, const Node& node) {
  out += node.open;
  for (std::size_t i = 0; i < node.parts.size(); ++i) {
    if (i > 0) out += separator(node.kind);
    append_flat(out, node.parts[i]);
  }
  out += node.close;
}

/// Lays nodes out in lines. `column` is where a node begins, `closing` the number of brackets
/// that must follow its end on the same line.
class Layout {
 public:
  explicit Layout(std::size_t tag_indent) : tag_indent_(tag_indent) {}

  void put(const Node& node, std::size_t column, std::size_t closing);
  /// Something stood so far right that a smaller indentation should be tried.
  bool is_too_deep() const { return is_too_deep_; }
  std::string take() { return std::move(out_); }

 private:
  bool fits(const Node& node, std::size_t column, std::size_t closing) const {
    return column + node.size + closing < line_size;
  }
  /// Whether a node may share its line with others.
  static bool is_simple(const Node& node) {
    return node.kind == Node::Kind::leaf ||
           (node.kind == Node::Kind::association && node.parts[0].kind == Node::Kind::leaf &&
            node.parts[1].kind == Node::Kind::leaf);
  }
  void break_line(std::size_t indent) {
    out_.push_back('\n');
    out_.append(indent, ' ');
  }
  void note_column(std::size_t column) {
    if (column > last_aligned_column) is_too_deep_ = true;
  }
  void put_tagged(const Node& node, std::size_t column, std::size_t closing);
  void put_parts(const Node& node, std::size_t column, std::size_t closing);
  void put_rest(const Node& node, std::size_t first, std::size_t indent, std::size_t column,
                std::size_t closing);
  void put_octets(const Node& node, std::size_t column, std::size_t closing);
  void put_association(const Node& node, std::size_t column, std::size_t closing);

  std::size_t tag_indent_;
  bool is_too_deep_ = false;
  std::string out_;
};

void Layout::put(const Node& node, std::size_t column, std::size_t closing) {
  if (node.kind == Node::Kind::leaf || fits(node, column, closing)) {
    append_flat(out_, node);
    return;
  }
  if (node.kind == Node::Kind::association) return put_association(node, column, closing);
  if (node.kind == Node::Kind::octets) return put_octets(node, column, closing);
  out_ += node.open;
  if (node.kind == Node::Kind::tagged)
    put_tagged(node, column, closing + 1);
  else
    put_parts(node, column + node.open.size(), closing + node.close.size());
  out_ += node.close;
}

/// {tag,Rest...}: the rest goes under what follows the tag, or less far in for a long tag.
void Layout::put_tagged(const Node& node, std::size_t column, std::size_t closing) {
  const Node& tag = node.parts.front();
  std::size_t after_tag = column + tag.size + 2;
  append_flat(out_, tag);
  if (tag.size + 2 > tag_indent_) {
    note_column(column + tag_indent_);
    put_rest(node, 1, column + tag_indent_, after_tag, closing);
    return;
  }
  note_column(after_tag);
  out_ += ",";
  bool is_last = node.parts.size() == 2;
  const Node& second = node.parts[1];
  put(second, after_tag, is_last ? closing : 0);
  put_rest(node, 2, after_tag, is_simple(second) ? after_tag + second.size : line_size, closing);
}

void Layout::put_parts(const Node& node, std::size_t column, std::size_t closing) {
  const Node& first = node.parts.front();
  put(first, column, node.parts.size() == 1 ? closing : 0);
  put_rest(node, 1, column, is_simple(first) ? column + first.size : line_size, closing);
}

/// The parts from `first` on, each after a comma: simple ones side by side, others on lines of
/// their own. `column` is where the line has got to.
void Layout::put_rest(const Node& node, std::size_t first, std::size_t indent, std::size_t column,
                      std::size_t closing) {
  for (std::size_t i = first; i < node.parts.size(); ++i) {
    const Node& part = node.parts[i];
    bool is_last = i + 1 == node.parts.size();
    out_ += ",";
    ++column;
    if (!is_simple(part) || !fits(part, column, is_last ? closing : 1)) {
      break_line(indent);
      column = indent;
    }
    put(part, column, is_last ? closing : 0);
    column = is_simple(part) ? column + part.size : line_size;
  }
}

/// Lines are filled up; the closing brackets of the last one may stand out.
void Layout::put_octets(const Node& node, std::size_t column, std::size_t closing) {
  std::size_t indent = column + node.open.size();
  column = indent;
  out_ += node.open;
  for (std::size_t i = 0; i < node.parts.size(); ++i) {
    const Node& part = node.parts[i];
    std::size_t comma = i + 1 < node.parts.size() ? 1 : 0;
    if (i > 0 && column + part.size + comma + closing > line_size) {
      break_line(indent);
      column = indent;
    }
    append_flat(out_, part);
    if (comma > 0) out_ += ",";
    column += part.size + comma;
  }
  out_ += node.close;
}

void Layout::put_association(const Node& node, std::size_t column, std::size_t closing) {
  const Node& key = node.parts[0];
  const Node& value = node.parts[1];
  std::size_t value_column = column + key.size + separator(node.kind).size();
  put(key, column, 0);
  out_ += " =>";
  if (fits(value, value_column, closing)) {
    out_ += " ";
    append_flat(out_, value);
    return;
  }
  constexpr std::size_t value_indent = 4;
  break_line(column + value_indent);
  put(value, column + value_indent, closing);
}

}  // namespace

std::string print_flat(const Term& term) {
  std::string out;
  append_flat(out, NodeMaker{}.node(term));
  return out;
}

std::string print_pretty(const Term& term, std::size_t column) {
  Node node = NodeMaker{}.node(term);
  for (std::size_t tag_indent : {unlimited, std::size_t{4}}) {
    Layout layout(tag_indent);
    layout.put(node, column, 0);
    if (!layout.is_too_deep()) return layout.take();
  }
  Layout narrow(1);
  narrow.put(node, column, 0);
  return narrow.take();
}

std::string print_octets(base::ByteView bytes) {
  std::string out = "<<";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += ",";
    out += std::to_string(static_cast<unsigned char>(bytes[i]));
  }
  return out + ">>";
}

}  // namespace warren::codec::erlang
