#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "broker/permission.h"
#include "broker/route_targets.h"
#include "codec/amqp091_properties.h"
#include "session/errors.h"

/// What a broker reads in the properties of a publish.
namespace warren::session::amqp091 {

/// The pseudo queue of direct reply-to: clients consume from it, and name it in reply_to.
inline constexpr std::string_view direct_reply_to = "amq.rabbitmq.reply-to";

/// Whether the user may publish there with that key, to an exchange that is there for clients.
Verdict check_target(broker::Authorizer& authorizer, const broker::Login& login,
                     const catalog::Catalog& catalog, const catalog::ResourceName& exchange,
                     std::string_view routing_key);
/// Checks user_id, expiration, delivery_mode and reply_to, in this order. A user with the tag
/// impersonator may write any user_id.
Verdict check_properties(const codec::amqp091::PropertyScan& properties, const broker::Login& login,
                         bool consumes_replies);
/// "no_integer", "{value_negative,-1}", "{value_too_large,315360000001}" or
/// "{leftover_string,\"s\"}" for an expiration that is not a number of milliseconds; empty for one
/// that is.
std::string expiration_fault(base::ByteView expiration);

/// What exchanges look at besides the keys; it points into the properties.
broker::RoutedContent routed_content(const codec::amqp091::Properties& properties);

/// More routing keys, from the headers CC and BCC.
struct ExtraKeys {
  std::vector<std::string> keys;
  base::Bytes blind_keys;  ///< those of BCC once more, as the message keeps them
  bool has_bcc = false;
};
std::expected<ExtraKeys, Failure> read_extra_keys(const codec::amqp091::PropertyScan& properties);
/// The properties without the header BCC and, if `reply_to` is not empty, with that reply_to. Those
/// that can't be decoded stay as they are.
base::Bytes rewrite_properties(base::ByteView properties, std::string_view reply_to);

}  // namespace warren::session::amqp091
