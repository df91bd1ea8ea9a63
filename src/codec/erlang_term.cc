#include "codec/erlang_term.h"

namespace warren::codec::erlang {

Tuple::Tuple(std::initializer_list<Term> from) : items(from) {}
Tuple::Tuple(std::vector<Term> from) : items(std::move(from)) {}
bool Tuple::operator==(const Tuple& other) const {
  return items == other.items;
}

List::List(std::initializer_list<Term> from) : items(from) {}
List::List(std::vector<Term> from) : items(std::move(from)) {}
bool List::operator==(const List& other) const {
  return items == other.items;
}

bool Map::operator==(const Map& other) const {
  return pairs == other.pairs;
}

bool Term::is_atom(std::string_view name) const {
  const Atom* atom = as<Atom>();
  return atom != nullptr && atom->name == name;
}

const std::vector<Term>* Term::items() const {
  static const std::vector<Term> nothing;
  if (const List* list = as<List>()) return &list->items;
  if (const String* string = as<String>(); string != nullptr && string->text.empty())
    return &nothing;
  return nullptr;
}

const std::string* Term::text() const {
  static const std::string nothing;
  if (const String* string = as<String>()) return &string->text;
  if (const Binary* binary = as<Binary>()) return &binary->bytes;
  if (const Atom* atom = as<Atom>()) return &atom->name;
  if (const List* list = as<List>(); list != nullptr && list->items.empty()) return &nothing;
  return nullptr;
}

Term atom(std::string_view name) {
  return Atom{std::string(name)};
}
Term string(std::string_view text) {
  return String{std::string(text)};
}
Term binary(std::string_view bytes) {
  return Binary{std::string(bytes)};
}
Term pair(std::string_view name, Term value) {
  return Tuple{atom(name), std::move(value)};
}

const Term* find_pair(const Term& list, std::string_view name) {
  static const Term yes = atom("true");
  const std::vector<Term>* items = list.items();
  if (items == nullptr) return nullptr;
  for (const Term& item : *items) {
    if (item.is_atom(name)) return &yes;
    const Tuple* tuple = item.as<Tuple>();
    if (tuple != nullptr && tuple->items.size() == 2 && tuple->items[0].is_atom(name))
      return &tuple->items[1];
  }
  return nullptr;
}

}  // namespace warren::codec::erlang
