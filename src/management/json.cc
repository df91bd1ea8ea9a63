#include "management/json.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>

#include "base/utf8.h"

namespace warren::management {
namespace {

constexpr std::size_t max_depth = 128;

void append_double(std::string& out, double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  // JSON has no infinities.
  if (text.find_first_of("in") != std::string::npos) text = "null";
  out += text;
}

void append_json(std::string& out, const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::null: out += "null"; break;
    case boost::json::kind::bool_: out += value.get_bool() ? "true" : "false"; break;
    case boost::json::kind::int64: out += fmt::format("{}", value.get_int64()); break;
    case boost::json::kind::uint64: out += fmt::format("{}", value.get_uint64()); break;
    case boost::json::kind::double_: append_double(out, value.get_double()); break;
    case boost::json::kind::string: append_json_string(out, text_of(value.get_string())); break;
    case boost::json::kind::array: {
      char separator = '[';
      for (const Json& item : value.get_array()) {
        out += separator;
        append_json(out, item);
        separator = ',';
      }
      out += separator == '[' ? "[]" : "]";
      break;
    }
    case boost::json::kind::object: {
      char separator = '{';
      for (const auto& member : value.get_object()) {
        out += separator;
        append_json_string(out, {member.key().data(), member.key().size()});
        out += ':';
        append_json(out, member.value());
        separator = ',';
      }
      out += separator == '{' ? "{}" : "}";
      break;
    }
  }
}

/// Makes a value of what the parser finds. The parser's own doubles may be off by a bit or two, so
/// that one which is printed would come back as another.
struct ValueMaker {
  using Error = boost::json::error_code;
  using Text = boost::json::string_view;
  static constexpr std::size_t max_object_size = JsonObject::max_size();
  static constexpr std::size_t max_array_size = JsonArray::max_size();
  static constexpr std::size_t max_key_size = boost::json::string::max_size();
  static constexpr std::size_t max_string_size = boost::json::string::max_size();

  ValueMaker() { stack.reset(); }

  static bool on_document_begin(Error&) { return true; }
  static bool on_document_end(Error&) { return true; }
  static bool on_object_begin(Error&) { return true; }
  static bool on_array_begin(Error&) { return true; }
  static bool on_comment_part(Text, Error&) { return true; }
  static bool on_comment(Text, Error&) { return true; }
  bool on_object_end(std::size_t members, Error&) { return stack.push_object(members), true; }
  bool on_array_end(std::size_t items, Error&) { return stack.push_array(items), true; }
  bool on_key_part(Text text, std::size_t, Error&) { return stack.push_chars(text), true; }
  bool on_key(Text text, std::size_t, Error&) { return stack.push_key(text), true; }
  bool on_string_part(Text text, std::size_t, Error&) { return stack.push_chars(text), true; }
  bool on_string(Text text, std::size_t, Error&) { return stack.push_string(text), true; }
  bool on_bool(bool flag, Error&) { return stack.push_bool(flag), true; }
  bool on_null(Error&) { return stack.push_null(), true; }
  bool on_number_part(Text part, Error&) {
    number.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, Text, Error&) {
    number.clear();
    return stack.push_int64(value), true;
  }
  bool on_uint64(std::uint64_t value, Text, Error&) {
    number.clear();
    return stack.push_uint64(value), true;
  }
  bool on_double(double value, Text text, Error&) {
    number.append(text.data(), text.size());
    // What is out of range stays as the parser has it.
    std::from_chars(number.data(), number.data() + number.size(), value);
    number.clear();
    return stack.push_double(value), true;
  }

  boost::json::value_stack stack;
  std::string number;  ///< its parts so far
};

std::string_view typed_name(const base::FieldValue& value) {
  if (value.as<base::FieldBinary>()) return "binary";
  return value.type_name();
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string print_json(const Json& value) {
  std::string out;
  append_json(out, value);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = base::utf8_sequence_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  out += '"';
}

base::Result<Json> parse_json(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = max_depth;
  boost::json::basic_parser<ValueMaker> parser(options);
  boost::json::error_code error;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (error || used < text.size())
    return base::fail(base::ErrorCode::invalid_argument, "not_json");
  return parser.handler().stack.release();
}

std::string_view text_of(const boost::json::string& text) { return {text.data(), text.size()}; }

Json text_json(std::string_view text) {
  return Json(boost::json::string(boost::json::string_view(text.data(), text.size())));
}

std::string member_text(const JsonObject& object, std::string_view name,
                        std::string_view otherwise) {
  const Json* found = object.if_contains({name.data(), name.size()});
  if (!found || !found->is_string()) return std::string(otherwise);
  return std::string(text_of(found->get_string()));
}

std::optional<std::int64_t> member_integer(const JsonObject& object, std::string_view name) {
  const Json* found = object.if_contains({name.data(), name.size()});
  if (found && found->is_int64()) return found->get_int64();
  if (found && found->is_uint64() && found->get_uint64() <= std::uint64_t{INT64_MAX})
    return static_cast<std::int64_t>(found->get_uint64());
  return std::nullopt;
}

std::uint64_t member_unsigned(const JsonObject& object, std::string_view name) {
  const Json* found = object.if_contains({name.data(), name.size()});
  if (found && found->is_uint64()) return found->get_uint64();
  if (found && found->is_int64() && found->get_int64() >= 0)
    return static_cast<std::uint64_t>(found->get_int64());
  return 0;
}

bool member_bool(const JsonObject& object, std::string_view name, bool otherwise) {
  const Json* found = object.if_contains({name.data(), name.size()});
  return found && found->is_bool() ? found->get_bool() : otherwise;
}

JsonObject table_json(const base::FieldTable& table) {
  JsonObject object;
  for (const auto& [name, value] : table) object[name] = field_json(value);
  return object;
}

Json field_json(const base::FieldValue& value) {
  if (value.is_integer()) return Json(value.to_integer());
  if (auto flag = value.as<bool>()) return Json(*flag);
  if (auto number = value.as<float>()) return Json(static_cast<double>(*number));
  if (auto number = value.as<double>()) return Json(*number);
  if (auto text = value.as<std::string>()) return text_json(*text);
  if (auto binary = value.as<base::FieldBinary>()) return text_json(binary->bytes);
  if (auto time = value.as<base::FieldTimestamp>()) return Json(time->seconds);
  if (auto table = value.as<base::FieldTable>()) return Json(table_json(*table));
  if (auto array = value.as<base::FieldArray>()) {
    JsonArray items;
    for (const base::FieldValue& item : *array) items.push_back(field_json(item));
    return Json(std::move(items));
  }
  if (auto decimal = value.as<base::FieldDecimal>()) {
    double number = decimal->value;
    for (int i = 0; i < decimal->scale; ++i) number /= 10;
    return Json(number);
  }
  return Json(nullptr);
}

base::FieldTable json_table(const JsonObject& object) {
  base::FieldTable table;
  for (const auto& member : object)
    table.add(std::string(member.key().data(), member.key().size()), json_field(member.value()));
  return table;
}

base::FieldValue json_field(const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::bool_: return base::FieldValue(value.get_bool());
    case boost::json::kind::int64: return base::FieldValue(std::int64_t{value.get_int64()});
    case boost::json::kind::uint64:
      return base::FieldValue(static_cast<double>(value.get_uint64()));
    case boost::json::kind::double_: return base::FieldValue(value.get_double());
    case boost::json::kind::string:
      return base::FieldValue(std::string(text_of(value.get_string())));
    case boost::json::kind::object: return base::FieldValue(json_table(value.get_object()));
    case boost::json::kind::array: {
      base::FieldArray items;
      for (const Json& item : value.get_array()) items.push_back(json_field(item));
      return base::FieldValue(std::move(items));
    }
    case boost::json::kind::null: break;
  }
  return base::FieldValue(base::FieldVoid{});
}

JsonArray typed_table_json(const base::FieldTable& table) {
  JsonArray rows;
  for (const auto& [name, value] : table) {
    JsonArray row{text_json(name), text_json(typed_name(value))};
    if (auto inner = value.as<base::FieldTable>())
      row.push_back(typed_table_json(*inner));
    else
      row.push_back(field_json(value));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::optional<std::string> decode_percent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace warren::management
