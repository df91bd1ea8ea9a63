#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"

/// Erlang terms as text: configuration files, start arguments and the `erlang` formatter.
namespace warren::codec::erlang {

struct Term;

struct Atom {
  std::string name;  ///< UTF-8, without quotes
  bool operator==(const Atom&) const = default;
};
/// Text between double quotes, which Erlang holds as a list of characters. UTF-8 here.
struct String {
  std::string text;
  bool operator==(const String&) const = default;
};
struct Binary {
  base::Bytes bytes;
  bool operator==(const Binary&) const = default;
};
/// A process, port or reference: printed as it stands ("<0.123.0>"), never parsed.
struct Opaque {
  std::string text;
  bool operator==(const Opaque&) const = default;
};
struct Tuple {
  std::vector<Term> items;
  Tuple() = default;
  Tuple(std::initializer_list<Term> from);
  explicit Tuple(std::vector<Term> from);
  bool operator==(const Tuple&) const;
};
/// A proper list. An empty one also stands for the empty string.
struct List {
  std::vector<Term> items;
  List() = default;
  List(std::initializer_list<Term> from);
  explicit List(std::vector<Term> from);
  bool operator==(const List&) const;
};
/// Pairs in the order in which they were given.
struct Map {
  std::vector<std::pair<Term, Term>> pairs;
  bool operator==(const Map&) const;
};

struct Term {
  using Variant =
      std::variant<Atom, std::int64_t, double, String, Binary, Opaque, Tuple, List, Map>;
  Variant value;

  template <typename T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, Term> && std::is_constructible_v<Variant, T&&>)
      Term(T&& from)
      : value(std::forward<T>(from)) {}
  /// Erlang's truth values are atoms: `atom("true")`.
  Term(bool) = delete;
  Term(int from) : value(std::int64_t{from}) {}
  Term() : value(List{}) {}

  template <typename T>
  const T* as() const {
    return std::get_if<T>(&value);
  }
  bool is_atom(std::string_view name) const;
  /// The items of a list (also of the empty string), or null.
  const std::vector<Term>* items() const;
  /// The text of a string, binary or atom; null for other terms.
  const std::string* text() const;
  bool operator==(const Term& other) const { return value == other.value; }
};

Term atom(std::string_view name);
Term string(std::string_view text);
Term binary(std::string_view bytes);
/// {name, value}, the pair that property lists are made of.
Term pair(std::string_view name, Term value);
/// The value of the first {name, value} in a list of pairs; an atom alone counts as true. Null
/// when there is none or `list` is not a list.
const Term* find_pair(const Term& list, std::string_view name);

/// Parses one term; a full stop after it is optional. Comments run from % to the end of a line.
/// Bounds: 1 MiB of text, 100 levels. An error is invalid_argument with "line N: ...".
base::Result<Term> parse_term(std::string_view text);
/// Parses terms that each end with a full stop, to the end of the text (file:consult).
base::Result<std::vector<Term>> parse_terms(std::string_view text);

/// On one line, as ~0p prints it: atoms quoted where needed, printable binaries as <<"text">>.
std::string print_flat(const Term& term);
/// As ~p prints it: broken to 80 columns, where `column` columns of the first line are taken.
std::string print_pretty(const Term& term, std::size_t column = 0);
/// "<<0,60,10>>", whatever the octets are, as ~w prints a binary.
std::string print_octets(base::ByteView bytes);

}  // namespace warren::codec::erlang
