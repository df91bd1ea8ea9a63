#include "broker/route_headers.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"

namespace warren::broker {
namespace {

using base::FieldValue;

std::optional<std::int64_t> find_integer(const FieldValue& value) {
  if (value.is_integer()) return value.to_integer();
  const auto* timestamp = value.as<base::FieldTimestamp>();
  if (timestamp && timestamp->seconds <= INT64_MAX)
    return static_cast<std::int64_t>(timestamp->seconds);
  return std::nullopt;
}

/// Long double holds every 64-bit integer exactly.
std::optional<long double> find_number(const FieldValue& value) {
  if (auto integer = find_integer(value)) return static_cast<long double>(*integer);
  if (const auto* timestamp = value.as<base::FieldTimestamp>())
    return static_cast<long double>(timestamp->seconds);
  if (const auto* number = value.as<float>()) return *number;
  if (const auto* number = value.as<double>()) return *number;
  return std::nullopt;
}

base::Bytes bytes_of(const base::FieldTable& arguments) {
  base::Bytes bytes;
  base::ByteWriter writer(bytes);
  base::write_field_table(writer, arguments);
  return bytes;
}

const std::string* find_text(const FieldValue& value) {
  if (const auto* text = value.as<std::string>()) return text;
  const auto* binary = value.as<base::FieldBinary>();
  return binary ? &binary->bytes : nullptr;
}

}  // namespace

bool is_same_value(const FieldValue& a, const FieldValue& b) {
  if (a == b) return true;
  if (const std::string* text = find_text(a)) {
    const std::string* other = find_text(b);
    return other && *text == *other;
  }
  auto number = find_number(a), other = find_number(b);
  return number && other && *number == *other;
}

void HeadersTable::add(const base::FieldTable& arguments, TargetNumber target) {
  const FieldValue* value = arguments.find("x-match");
  const std::string* text = value ? value->as<std::string>() : nullptr;
  std::string_view match = text ? std::string_view(*text) : "all";
  bool with_x = match.ends_with("-with-x");
  Rule rule{.target = target,
            .any = match.starts_with("any"),
            .arguments = bytes_of(arguments),
            .wanted = {}};
  for (const auto& [name, wanted] : arguments)
    if (name != "x-match" && (with_x || !name.starts_with("x-")))
      rule.wanted.emplace_back(name, wanted);
  rules_.push_back(std::move(rule));
}

void HeadersTable::remove(const base::FieldTable& arguments, TargetNumber target) {
  base::Bytes bytes = bytes_of(arguments);
  auto rule = std::ranges::find_if(rules_, [&](const Rule& rule) {
    return rule.target == target && rule.arguments == bytes;
  });
  ASSERT(rule != rules_.end());
  rules_.erase(rule);
}

void HeadersTable::match(const base::FieldTable* headers, std::vector<TargetNumber>& out) const {
  static const base::FieldTable no_headers;
  for (const Rule& rule : rules_)
    if (rule.fits(headers ? *headers : no_headers)) out.push_back(rule.target);
}

bool HeadersTable::Rule::fits(const base::FieldTable& headers) const {
  auto fits_one = [&](const auto& pair) {
    const FieldValue* value = headers.find(pair.first);
    if (!value) return false;
    return pair.second.template as<base::FieldVoid>() || is_same_value(pair.second, *value);
  };
  return any ? std::ranges::any_of(wanted, fits_one) : std::ranges::all_of(wanted, fits_one);
}

}  // namespace warren::broker
