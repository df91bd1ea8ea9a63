#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/field_value.h"
#include "base/result.h"

/// JSON as RabbitMQ's clients expect it, and field tables as JSON.
namespace warren::management {

using Json = boost::json::value;
using JsonArray = boost::json::array;
using JsonObject = boost::json::object;

/// Compact text; members keep the order in which they were added. A double always has a decimal
/// point ("0.0", "1.5"), which Boost's own printer writes as 1.5E0. Bytes that are no UTF-8 are
/// replaced, so the text is always valid JSON.
std::string print_json(const Json& value);
/// One string in quotes, escaped.
void append_json_string(std::string& out, std::string_view text);

/// invalid_argument "not_json" for anything else; nesting is bounded at 128 levels.
base::Result<Json> parse_json(std::string_view text);

std::string_view text_of(const boost::json::string& text);
/// A JSON string holding those bytes.
Json text_json(std::string_view text);
/// The member's text, or `otherwise` when it is absent or no string.
std::string member_text(const JsonObject& object, std::string_view name,
                        std::string_view otherwise = "");
/// The member when it is a whole number that fits.
std::optional<std::int64_t> member_integer(const JsonObject& object, std::string_view name);
/// The same without sign, or 0.
std::uint64_t member_unsigned(const JsonObject& object, std::string_view name);
bool member_bool(const JsonObject& object, std::string_view name, bool otherwise = false);

/// A table as a JSON object; types that JSON lacks become their nearest form.
JsonObject table_json(const base::FieldTable& table);
Json field_json(const base::FieldValue& value);
/// The other way: whole numbers become longs, texts longstrs, null void.
base::FieldTable json_table(const JsonObject& object);
base::FieldValue json_field(const Json& value);
/// [["x-max-length","long",10],...]: a table as the command line's JSON lists it, with types.
JsonArray typed_table_json(const base::FieldTable& table);

/// Undoes %xx (and leaves + as it is); empty for a malformed escape.
std::optional<std::string> decode_percent(std::string_view text);

}  // namespace warren::management
