#include "catalog/equivalence.h"

#include <fmt/format.h>

namespace warren::catalog {
namespace {

using base::FieldValue;

std::string value_text(const FieldValue& value) {
  if (const auto* text = value.as<std::string>()) return *text;
  if (const auto* flag = value.as<bool>()) return *flag ? "true" : "false";
  if (const auto* number = value.as<double>()) return fmt::format("{}", *number);
  if (const auto* number = value.as<float>()) return fmt::format("{}", *number);
  if (value.is_integer()) return fmt::format("{}", value.to_integer());
  return std::string(value.type_name());
}

bool is_same_value(const FieldValue& a, const FieldValue& b) {
  if (a.is_integer() && b.is_integer()) return a.to_integer() == b.to_integer();
  return a == b;
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
    std::string received_text = value_text(*new_value);
    std::string current_text = value_text(*old_value);
    return base::fail(
        base::ErrorCode::precondition_failed,
        fmt::format("inequivalent arg '{}' for {}: received '{}' but current is '{}'", argument,
                    resource, received_text, current_text));
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
