#include "cli/cell.h"

#include <fmt/format.h>

namespace warren::cli {
namespace {

namespace erlang = codec::erlang;
using management::text_of;

/// The only member of an object that wraps a value, by its name, or null.
const Json* wrapped(const Json& cell, std::string_view name) {
  const JsonObject* object = cell.if_object();
  if (!object || object->size() != 1) return nullptr;
  return object->if_contains({name.data(), name.size()});
}

std::string wrapped_text(const Json& value) {
  return value.is_string() ? std::string(text_of(value.get_string())) : std::string();
}

/// "rabbit1@vm.17.5.0" without the node's name, which itself may have dots: "17.5.0".
std::string short_pid(const std::string& pid) {
  std::size_t at = pid.size();
  for (int dots = 0; dots < 3 && at > 0;)
    if (pid[--at] == '.') ++dots;
  return at == 0 ? pid : pid.substr(at + 1);
}

std::string argument_text(const Json& value) {
  if (!value.is_string()) return cell_text(value);
  return fmt::format("\"{}\"", text_of(value.get_string()));
}

/// A table's rows of [name, type, value].
std::string table_text(const JsonArray& rows) {
  std::string text;
  for (const Json& row : rows) {
    if (!row.is_array() || row.get_array().size() != 3) continue;
    const JsonArray& parts = row.get_array();
    const bool is_table = parts[1].is_string() && text_of(parts[1].get_string()) == "table";
    const std::string value = is_table && parts[2].is_array() ? table_text(parts[2].get_array())
                                                              : argument_text(parts[2]);
    text += fmt::format("{}{{{},{}}}", text.empty() ? "" : ",", argument_text(parts[0]), value);
  }
  return "[" + text + "]";
}

std::string map_text(const JsonObject& map) {
  std::string text;
  for (const auto& member : map)
    text += fmt::format("{}{{{},{}}}", text.empty() ? "" : ",",
                        std::string_view(member.key().data(), member.key().size()),
                        cell_text(member.value()));
  return "[" + text + "]";
}

std::string tuple_text(const JsonArray& items) {
  std::string text;
  for (const Json& item : items) text += (text.empty() ? "" : ",") + cell_text(item);
  return "{" + text + "}";
}

std::string text_in(const Json& cell, bool with_node) {
  if (cell.is_string()) return std::string(text_of(cell.get_string()));
  if (const Json* pid = wrapped(cell, "pid")) {
    const std::string text = wrapped_text(*pid);
    return fmt::format("<{}>", with_node ? text : short_pid(text));
  }
  if (const Json* atom = wrapped(cell, "atom")) return wrapped_text(*atom);
  if (const Json* tuple = wrapped(cell, "tuple"); tuple && tuple->is_array())
    return tuple_text(tuple->get_array());
  if (const Json* table = wrapped(cell, "table"); table && table->is_array())
    return table_text(table->get_array());
  if (const Json* map = wrapped(cell, "map"); map && map->is_object())
    return map_text(map->get_object());
  if (!cell.is_array()) return management::print_json(cell);
  std::string text;
  for (const Json& item : cell.get_array())
    text += (text.empty() ? "" : ", ") + text_in(item, with_node);
  return "[" + text + "]";
}

erlang::Term table_term(const JsonArray& rows) {
  erlang::List list;
  for (const Json& row : rows) {
    if (!row.is_array() || row.get_array().size() != 3) continue;
    const JsonArray& parts = row.get_array();
    const std::string type = wrapped_text(parts[1]);
    list.items.push_back(erlang::Tuple{
        erlang::binary(wrapped_text(parts[0])), erlang::atom(type),
        type == "table" && parts[2].is_array() ? table_term(parts[2].get_array())
                                               : json_term(parts[2])});
  }
  return list;
}

}  // namespace

std::string cell_text(const Json& cell) { return text_in(cell, true); }

std::string cell_short_text(const Json& cell) {
  const JsonArray* list = cell.if_array();
  if (!list || list->empty() || !wrapped((*list)[0], "pid")) return text_in(cell, false);
  std::string text;
  for (const Json& item : *list) text += text_in(item, false);
  return text;
}

Json cell_json(const Json& cell) {
  if (const Json* pid = wrapped(cell, "pid"))
    return management::text_json(fmt::format("#PID<{}>", short_pid(wrapped_text(*pid))));
  if (const Json* atom = wrapped(cell, "atom")) return *atom;
  if (const Json* tuple = wrapped(cell, "tuple")) return *tuple;
  if (const Json* table = wrapped(cell, "table")) return *table;
  if (const Json* map = wrapped(cell, "map")) return *map;
  if (!cell.is_array()) return cell;
  JsonArray list;
  for (const Json& item : cell.get_array()) list.push_back(cell_json(item));
  return list;
}

erlang::Term cell_term(const Json& cell) {
  if (const Json* pid = wrapped(cell, "pid"))
    return erlang::Opaque{fmt::format("<{}>", short_pid(wrapped_text(*pid)))};
  if (const Json* atom = wrapped(cell, "atom")) return erlang::atom(wrapped_text(*atom));
  if (const Json* tuple = wrapped(cell, "tuple"); tuple && tuple->is_array()) {
    erlang::Tuple term;
    for (const Json& item : tuple->get_array()) term.items.push_back(cell_term(item));
    return term;
  }
  if (const Json* table = wrapped(cell, "table"); table && table->is_array())
    return table_term(table->get_array());
  if (const JsonArray* items = cell.if_array()) {
    erlang::List list;
    for (const Json& item : *items) list.items.push_back(cell_term(item));
    return list;
  }
  return json_term(cell);
}

erlang::Term json_term(const Json& value) {
  if (value.is_bool()) return erlang::atom(value.get_bool() ? "true" : "false");
  if (value.is_int64()) return erlang::Term(std::int64_t{value.get_int64()});
  if (value.is_uint64()) return erlang::Term(static_cast<std::int64_t>(value.get_uint64()));
  if (value.is_double()) return erlang::Term(value.get_double());
  if (value.is_string()) return erlang::binary(text_of(value.get_string()));
  if (value.is_array()) {
    erlang::List list;
    for (const Json& item : value.get_array()) list.items.push_back(json_term(item));
    return list;
  }
  if (value.is_object()) {
    erlang::Map map;
    for (const auto& member : value.get_object())
      map.pairs.emplace_back(erlang::binary({member.key().data(), member.key().size()}),
                             json_term(member.value()));
    return map;
  }
  return erlang::atom("undefined");
}

}  // namespace warren::cli
