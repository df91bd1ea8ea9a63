#include "session/publish_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/field_value.h"
#include "broker/exchange_declaration.h"
#include "broker/message.h"

namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {

constexpr std::string_view bcc = "BCC";
/// Ten years.
constexpr base::ByteView most_milliseconds = "315360000000";

/// A table body holds a name with its length before it, which spares decoding most tables.
bool may_hold(base::ByteView table_body, std::string_view name) {
  std::string entry(1, static_cast<char>(name.size()));
  entry.append(name);
  return table_body.find(entry) != base::ByteView::npos;
}

}  // namespace

std::string expiration_fault(base::ByteView expiration) {
  base::ByteView digits = expiration;
  const bool is_negative = digits.starts_with('-');
  if (is_negative || digits.starts_with('+')) digits.remove_prefix(1);
  const std::size_t end = std::min(digits.find_first_not_of("0123456789"), digits.size());
  if (end == 0) return "no_integer";
  if (end != digits.size()) return fmt::format("{{leftover_string,\"{}\"}}", digits.substr(end));
  const std::size_t first = digits.find_first_not_of('0');
  if (first == base::ByteView::npos) return {};
  digits.remove_prefix(first);
  if (is_negative) return fmt::format("{{value_negative,-{}}}", digits);
  const bool is_too_large = digits.size() > most_milliseconds.size() ||
                            (digits.size() == most_milliseconds.size() &&
                             digits > most_milliseconds);
  return is_too_large ? fmt::format("{{value_too_large,{}}}", digits) : std::string();
}

Verdict check_target(broker::Authorizer& authorizer, const broker::Login& login,
                     const catalog::Catalog& catalog, const catalog::ResourceName& exchange,
                     std::string_view routing_key) {
  using broker::ResourceKind;
  if (auto allowed = authorizer.check(login, exchange.vhost, ResourceKind::exchange, exchange.name,
                                      broker::Access::write);
      !allowed)
    return refuse(allowed.error());
  if (exchange.name.empty()) return {};
  const catalog::Exchange* found = catalog.find_exchange(exchange);
  if (found == nullptr) return refuse(broker::no_such_resource(ResourceKind::exchange, exchange));
  if (auto allowed = broker::check_publishable(*found); !allowed) return refuse(allowed.error());
  if (auto allowed = authorizer.check_topic(login, *found, routing_key, broker::Access::write);
      !allowed)
    return refuse(allowed.error());
  return {};
}

Verdict check_properties(const PropertyScan& properties, const broker::Login& login,
                         bool consumes_replies) {
  if (properties.user_id && *properties.user_id != login.user && !login.has_tag("impersonator"))
    return refuse(ReplyCode::precondition_failed,
                  fmt::format("user_id property set to '{}' but authenticated user was '{}'",
                              *properties.user_id, login.user));
  if (properties.expiration) {
    if (std::string fault = expiration_fault(*properties.expiration); !fault.empty())
      return refuse(ReplyCode::precondition_failed,
                    fmt::format("invalid expiration '{}': {}", *properties.expiration, fault));
  }
  const std::uint8_t mode = properties.delivery_mode.value_or(1);
  if (mode != 1 && mode != 2)
    return refuse(ReplyCode::precondition_failed,
                  fmt::format("invalid message: {{delivery_mode_unknown,{}}}", mode));
  if (properties.reply_to == direct_reply_to && !consumes_replies)
    return refuse(ReplyCode::precondition_failed, "fast reply consumer does not exist");
  return {};
}

broker::RoutedContent routed_content(const Properties& properties) {
  broker::RoutedContent content(properties.headers ? &*properties.headers : nullptr);
  content.message_id = properties.message_id;
  content.correlation_id = properties.correlation_id;
  content.timestamp = properties.timestamp;
  return content;
}

std::expected<ExtraKeys, Failure> read_extra_keys(const PropertyScan& properties) {
  ExtraKeys extra;
  if (!properties.has_headers) return extra;
  if (!may_hold(properties.headers, "CC") && !may_hold(properties.headers, bcc)) return extra;
  const auto headers = base::read_field_table_body(properties.headers);
  if (!headers) return refuse(ReplyCode::frame_error, headers.error().text);
  for (std::string_view name : {std::string_view("CC"), bcc}) {
    const base::FieldValue* value = headers->find(name);
    if (value == nullptr) continue;
    const auto* keys = value->as<base::FieldArray>();
    if (keys == nullptr)
      return refuse(ReplyCode::precondition_failed,
                    fmt::format("invalid message: {{unacceptable_type_in_header,\"{}\",{}}}", name,
                                value->type_name()));
    if (name == bcc) extra.has_bcc = true;
    for (const base::FieldValue& key : *keys) {
      const auto* text = key.as<std::string>();
      if (!text) continue;
      extra.keys.push_back(*text);
      if (name == bcc) broker::add_blind_key(extra.blind_keys, *text);
    }
  }
  return extra;
}

base::Bytes rewrite_properties(base::ByteView properties, std::string_view reply_to) {
  auto decoded = decode_properties(properties);
  if (!decoded) return base::Bytes(properties);
  if (decoded->headers) decoded->headers->erase(bcc);
  if (!reply_to.empty()) decoded->reply_to = reply_to;
  base::Bytes encoded;
  encode_properties(encoded, *decoded);
  return encoded;
}

}  // namespace warren::session::amqp091
