#include "broker/exchange_declaration.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/names.h"
#include "broker/resource.h"
#include "broker/route_spread.h"
#include "catalog/delaying.h"

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
  if (const double* number = value.as<double>()) return fmt::format("{}", *number);
  if (const bool* flag = value.as<bool>()) return *flag ? "true" : "false";
  if (const auto* text = value.as<std::string>()) return binary_term(*text);
  if (const auto* binary = value.as<base::FieldBinary>()) return binary_term(binary->bytes);
  return std::string(value.type_name());
}

template <typename... Parameters>
auto refuse(fmt::format_string<Parameters...> text, Parameters&&... parameters) {
  return fail(ErrorCode::precondition_failed,
              fmt::format(text, std::forward<Parameters>(parameters)...));
}

base::Result<> check_text(const catalog::Exchange& wanted, std::string_view argument) {
  const base::FieldValue* value = wanted.arguments.find(argument);
  if (!value || value->as<std::string>()) return {};
  return refuse("invalid type '{}' for arg '{}' in {}", value->type_name(), argument,
                resource_text(ResourceKind::exchange, wanted.name));
}

base::Result<> check_hash_arguments(const catalog::Exchange& wanted) {
  const base::FieldValue* property = wanted.arguments.find("hash-property");
  if (property && wanted.arguments.find("hash-header"))
    return refuse("hash-header and hash-property are mutually exclusive");
  TRY(check_text(wanted, "hash-header"));
  TRY(check_text(wanted, "hash-property"));
  if (!property) return {};
  const std::string& name = *property->as<std::string>();
  if (name == "correlation_id" || name == "message_id" || name == "timestamp") return {};
  return refuse("Unsupported property: {}", name);
}

base::Result<> check_history_arguments(const catalog::Exchange& wanted) {
  const base::FieldValue* length = wanted.arguments.find("x-recent-history-length");
  if (!length || (length->is_integer() && length->to_integer() > 0)) return {};
  return refuse("Invalid argument {}, 'x-recent-history-length' must be a positive integer",
                value_term(*length));
}

base::Result<> check_weight(const std::string& binding_key) {
  const auto weight = parse_weight(binding_key);
  if (!weight) return refuse("The binding key must be an integer: {}", binary_term(binding_key));
  if (*weight < 1) return refuse("The binding key must be greater than 0");
  return {};
}

base::Result<> check_header_match(const base::FieldTable& arguments) {
  const base::FieldValue* match = arguments.find("x-match");
  if (!match) return {};
  const std::string* text = match->as<std::string>();
  if (!text)
    return refuse("Invalid x-match field type {} (value {}); expected longstr",
                  match->type_name(), value_term(*match));
  if (*text == "all" || *text == "any" || *text == "all-with-x" || *text == "any-with-x") return {};
  return refuse("Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x",
                binary_term(*text));
}

base::Result<> check_delayed_type(const catalog::Exchange& wanted) {
  if (wanted.type != catalog::delaying_type) return {};
  const std::string_view type = catalog::routing_type(wanted);
  if (type.empty())
    return refuse("Invalid argument, 'x-delayed-type' must be an existing exchange type");
  if (type == catalog::delaying_type)
    return refuse("Invalid argument, '{}' can't be used for 'x-delayed-type'", type);
  return {};
}

}  // namespace

base::Result<> check_not_default_exchange(std::string_view exchange) {
  if (!exchange.empty()) return {};
  return fail(ErrorCode::access_refused, "operation not permitted on the default exchange");
}

base::Result<> check_new_exchange(const catalog::Exchange& wanted) {
  if (has_reserved_prefix(wanted.name.name))
    return fail(
        ErrorCode::access_refused,
        fmt::format("exchange name '{}' contains reserved prefix 'amq.*'", wanted.name.name));
  TRY(check_text(wanted, "alternate-exchange"));
  TRY(check_delayed_type(wanted));
  const std::string_view type = catalog::routing_type(wanted);
  if (type == "x-consistent-hash") return check_hash_arguments(wanted);
  if (type == "x-recent-history") return check_history_arguments(wanted);
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

base::Result<> check_binding(const catalog::Exchange& source, const catalog::Binding& binding) {
  if (binding.destination_kind == catalog::DestinationKind::queue)
    TRY(catalog::check_no_delay_queue({binding.source.vhost, binding.destination}));
  const std::string_view type = catalog::routing_type(source);
  if (type == "headers") return check_header_match(binding.arguments);
  if (type == "x-consistent-hash") return check_weight(binding.routing_key);
  return {};
}

}  // namespace warren::broker
