#include "broker/exchange_declaration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "broker/names.h"
#include "broker/resource.h"

namespace warren::broker {
namespace {

using base::ErrorCode;
using base::fail;

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

/// <<"text">>, or <<1,2,3>> for bytes that are no text.
std::string binary_term(std::string_view bytes) {
  if (bytes.empty()) return "<<>>";
  std::string term = "<<";
  if (is_printable(bytes)) {
    term += '"';
    for (char c : bytes) {
      if (c == '"' || c == '\\') term += '\\';
      term += c;
    }
    return term + "\">>";
  }
  for (char c : bytes) {
    if (term.size() > 2) term += ',';
    term += std::to_string(static_cast<unsigned char>(c));
  }
  return term + ">>";
}

std::string value_term(const base::FieldValue& value) {
  if (value.is_integer()) return std::to_string(value.to_integer());
  if (const bool* flag = value.as<bool>()) return *flag ? "true" : "false";
  if (const auto* binary = value.as<base::FieldBinary>()) return binary_term(binary->bytes);
  return std::string(value.type_name());
}

}  // namespace

base::Result<> check_exchange_type(std::string_view type) {
  static constexpr std::array<std::string_view, 4> types = {"direct", "fanout", "headers", "topic"};
  if (std::ranges::find(types, type) != types.end()) return {};
  return fail(ErrorCode::invalid_argument, fmt::format("invalid exchange type '{}'", type));
}

base::Result<> check_not_default_exchange(std::string_view exchange) {
  if (!exchange.empty()) return {};
  return fail(ErrorCode::access_refused, "operation not permitted on the default exchange");
}

base::Result<> check_new_exchange(const catalog::Exchange& wanted) {
  if (has_reserved_prefix(wanted.name.name))
    return fail(
        ErrorCode::access_refused,
        fmt::format("exchange name '{}' contains reserved prefix 'amq.*'", wanted.name.name));
  const base::FieldValue* alternate = wanted.arguments.find("alternate-exchange");
  if (alternate && !alternate->as<std::string>())
    return fail(
        ErrorCode::precondition_failed,
        fmt::format("invalid type '{}' for arg 'alternate-exchange' in {}", alternate->type_name(),
                    resource_text(ResourceKind::exchange, wanted.name)));
  return {};
}

base::Result<> check_exchange_deletable(const catalog::ResourceName& exchange) {
  TRY(check_not_default_exchange(exchange.name));
  if (!has_reserved_prefix(exchange.name)) return {};
  return fail(ErrorCode::access_refused,
              fmt::format("deletion of system {} not allowed",
                          resource_text(ResourceKind::exchange, exchange)));
}

base::Result<> check_publishable(const catalog::Exchange& exchange) {
  if (!exchange.internal) return {};
  return fail(ErrorCode::access_refused,
              fmt::format("cannot publish to internal {}",
                          resource_text(ResourceKind::exchange, exchange.name)));
}

base::Result<> check_binding_arguments(std::string_view exchange_type,
                                       const base::FieldTable& arguments) {
  if (exchange_type != "headers") return {};
  const base::FieldValue* match = arguments.find("x-match");
  if (!match) return {};
  const std::string* text = match->as<std::string>();
  if (!text)
    return fail(ErrorCode::precondition_failed,
                fmt::format("Invalid x-match field type {} (value {}); expected longstr",
                            match->type_name(), value_term(*match)));
  if (*text == "all" || *text == "any" || *text == "all-with-x" || *text == "any-with-x") return {};
  return fail(ErrorCode::precondition_failed,
              fmt::format("Invalid x-match field value {}; expected all, any, all-with-x, or "
                          "any-with-x",
                          binary_term(*text)));
}

}  // namespace warren::broker
