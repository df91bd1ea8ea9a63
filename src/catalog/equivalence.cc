#include "catalog/equivalence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

namespace warren::catalog {
namespace {

using base::FieldValue;

/// As Erlang writes it: the fewest digits that tell it from its neighbours, always with a point,
/// and with an exponent where that is shorter or the number is no longer exact to the unit.
std::string float_text(double number) {
  constexpr double exact_limit = 9007199254740992.0;  // 2 to the 53rd
  if (number == 0 || !std::isfinite(number)) return fmt::format("{:.1f}", number);
  std::array<char, 32> shortest{};
  const auto written = std::to_chars(shortest.data(), shortest.data() + shortest.size(),
                                     std::abs(number), std::chars_format::scientific);
  const char* mark = std::find(shortest.data(), written.ptr, 'e');
  const int exponent = std::atoi(mark + 1);
  std::string digits(static_cast<const char*>(shortest.data()), mark);
  std::erase(digits, '.');

  const int count = static_cast<int>(digits.size());
  const std::string exponent_text = std::to_string(exponent);
  const int exponent_costs = static_cast<int>(exponent_text.size()) + (count == 1 ? 3 : 2);
  const int zeros = exponent < 0 ? -exponent - 1 : std::max(exponent + 1 - count, 0);
  const bool has_point_inside = exponent >= 0 && exponent + 1 < count;
  const bool is_plain = std::abs(number) < exact_limit &&
                        (has_point_inside || zeros + 2 <= exponent_costs);
  if (!is_plain) {
    if (count == 1) digits += '0';
    digits = fmt::format("{}.{}e{}", digits[0], digits.substr(1), exponent_text);
  } else if (exponent < 0) {
    digits = "0." + std::string(static_cast<std::size_t>(zeros), '0') + digits;
  } else {
    digits += std::string(static_cast<std::size_t>(zeros), '0');
    if (!has_point_inside) digits += '0';
    digits.insert(static_cast<std::size_t>(exponent) + 1, ".");
  }
  return number < 0 ? "-" + digits : digits;
}

/// The octets of text, whether it came as text or as binary.
const std::string* find_octets(const FieldValue& value) {
  if (const auto* text = value.as<std::string>()) return text;
  const auto* binary = value.as<base::FieldBinary>();
  return binary ? &binary->bytes : nullptr;
}

/// The number of an integer or of a point of time.
std::optional<std::int64_t> find_number(const FieldValue& value) {
  if (value.is_integer()) return value.to_integer();
  const auto* time = value.as<base::FieldTimestamp>();
  return time ? std::optional(static_cast<std::int64_t>(time->seconds)) : std::nullopt;
}

std::string value_text(const FieldValue& value) {
  if (const std::string* octets = find_octets(value)) return *octets;
  if (const auto* flag = value.as<bool>()) return *flag ? "true" : "false";
  if (const auto* number = value.as<double>()) return float_text(*number);
  if (const auto* number = value.as<float>()) return float_text(*number);
  if (const auto number = find_number(value)) return std::to_string(*number);
  return std::string(value.type_name());
}

/// Values count and not their types, as far as one type can hold the other's values.
bool is_same_value(const FieldValue& a, const FieldValue& b) {
  const std::string *octets = find_octets(a), *others = find_octets(b);
  if (octets != nullptr && others != nullptr) return *octets == *others;
  const auto number = find_number(a), other = find_number(b);
  if (number && other) return *number == *other;
  return a == b;
}

std::string quoted_text(const FieldValue& value) {
  return value.as<base::FieldVoid>() ? "none" : "'" + value_text(value) + "'";
}

std::string presence_text(const FieldValue* value) {
  if (value == nullptr) return "none";
  return fmt::format("the value '{}' of type '{}'", value_text(*value), value->type_name());
}

/// As Erlang writes the name: in quotes unless it is a plain word.
std::string type_text(const std::string& type) {
  const bool is_plain = !type.empty() && type[0] >= 'a' && type[0] <= 'z' &&
                        type.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_@") ==
                            std::string::npos;
  return is_plain ? type : "'" + type + "'";
}

}  // namespace

std::string queue_text(const ResourceName& name) {
  return fmt::format("queue '{}' in vhost '{}'", name.name, name.vhost);
}

std::string exchange_text(const ResourceName& name) {
  return fmt::format("exchange '{}' in vhost '{}'", name.name, name.vhost);
}

base::Result<> check_equal_property(std::string_view resource, std::string_view property,
                                    std::string_view received, std::string_view current) {
  if (received == current) return {};
  return base::fail(base::ErrorCode::precondition_failed,
                    fmt::format("inequivalent arg '{}' for {}: received '{}' but current is '{}'",
                                property, resource, received, current));
}

base::Result<> check_equal_argument(std::string_view resource, std::string_view argument,
                                    const base::FieldTable& received,
                                    const base::FieldTable& current) {
  const FieldValue* new_value = received.find(argument);
  const FieldValue* old_value = current.find(argument);
  if (new_value != nullptr && old_value != nullptr) {
    if (is_same_value(*new_value, *old_value)) return {};
    return base::fail(
        base::ErrorCode::precondition_failed,
        fmt::format("inequivalent arg '{}' for {}: received {} but current is {}", argument,
                    resource, quoted_text(*new_value), quoted_text(*old_value)));
  }
  if (new_value == old_value) return {};
  return base::fail(
      base::ErrorCode::precondition_failed,
      fmt::format("inequivalent arg '{}' for {}: received {} but current is {}", argument,
                  resource, presence_text(new_value), presence_text(old_value)));
}

base::Result<> check_equivalent(const Exchange& received, const Exchange& current) {
  const std::string resource = exchange_text(current.name);
  TRY(check_equal_property(resource, "type", type_text(received.type), type_text(current.type)));
  TRY(check_equal_property(resource, "durable", received.durable, current.durable));
  TRY(check_equal_property(resource, "auto_delete", received.auto_delete, current.auto_delete));
  TRY(check_equal_property(resource, "internal", received.internal, current.internal));
  return check_equal_argument(resource, "alternate-exchange", received.arguments,
                              current.arguments);
}

}  // namespace warren::catalog
