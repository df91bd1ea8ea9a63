#include <algorithm>
#include <string_view>

#include "broker/queue_arguments.h"

namespace warren::broker {
namespace {

using Definition = catalog::PolicyDefinition;
using Limit = std::optional<std::uint64_t>;
using Text = std::optional<std::string>;

struct Sources {
  const base::FieldTable& arguments;
  const Definition* policy;
  const Definition* operator_policy;

  Limit lowest(std::string_view argument, Limit Definition::*member) const {
    Limit lowest;
    auto consider = [&](Limit limit) {
      if (limit) lowest = std::min(*limit, lowest.value_or(*limit));
    };
    const base::FieldValue* value = arguments.find(argument);
    // A negative limit is not a limit; declarations that were checked have none.
    if (value && value->is_integer() && value->to_integer() >= 0)
      consider(static_cast<std::uint64_t>(value->to_integer()));
    if (policy) consider(policy->*member);
    if (operator_policy) consider(operator_policy->*member);
    return lowest;
  }

  Text first(std::string_view argument, Text Definition::*member) const {
    if (const base::FieldValue* value = arguments.find(argument))
      if (const auto* text = value->as<std::string>()) return *text;
    if (policy) return policy->*member;
    return {};
  }
};

Overflow overflow_of(const Text& name) {
  if (name == "reject-publish") return Overflow::reject_publish;
  if (name == "reject-publish-dlx") return Overflow::reject_publish_dlx;
  return Overflow::drop_head;
}

}  // namespace

QueueSettings make_queue_settings(const base::FieldTable& arguments, const Definition* policy,
                                  const Definition* operator_policy) {
  Sources from{arguments, policy, operator_policy};
  QueueSettings settings;
  settings.message_ttl_ms = from.lowest("x-message-ttl", &Definition::message_ttl_ms);
  settings.expires_ms = from.lowest("x-expires", &Definition::expires_ms);
  settings.max_length = from.lowest("x-max-length", &Definition::max_length);
  settings.max_length_bytes = from.lowest("x-max-length-bytes", &Definition::max_length_bytes);
  settings.delivery_limit = from.lowest("x-delivery-limit", &Definition::delivery_limit);
  settings.overflow = overflow_of(from.first("x-overflow", &Definition::overflow));
  settings.dead_letter_exchange =
      from.first("x-dead-letter-exchange", &Definition::dead_letter_exchange);
  settings.dead_letter_routing_key =
      from.first("x-dead-letter-routing-key", &Definition::dead_letter_routing_key);
  return settings;
}

}  // namespace warren::broker
