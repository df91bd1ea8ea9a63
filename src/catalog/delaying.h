#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/records.h"

/// Exchanges that hold messages back until they are due, and the queues in which those wait. Each
/// such exchange has a queue of a reserved name, which comes and goes with it and is on every node.
namespace warren::catalog {

inline constexpr std::string_view delaying_type = "x-delayed-message";
inline constexpr std::string_view delay_queue_prefix = "amq.delayed.";

inline ResourceName delay_queue_of(const ResourceName& exchange) {
  return {exchange.vhost, std::string(delay_queue_prefix) + exchange.name};
}

/// The exchange whose messages wait in a queue of that name; empty for other queues.
inline std::string_view delaying_exchange(std::string_view queue) {
  if (!queue.starts_with(delay_queue_prefix)) return {};
  return queue.substr(delay_queue_prefix.size());
}

inline bool is_delay_queue(std::string_view queue) { return !delaying_exchange(queue).empty(); }

/// The type by whose rules messages are routed: of an exchange that delays it is an argument, empty
/// when that is missing; of others it is their own.
inline std::string_view routing_type(const Exchange& exchange) {
  if (exchange.type != delaying_type) return exchange.type;
  const base::FieldValue* value = exchange.arguments.find("x-delayed-type");
  const std::string* type = value ? value->as<std::string>() : nullptr;
  return type ? std::string_view(*type) : std::string_view();
}

/// access_refused "queue 'amq.delayed.x' in vhost '/' holds the delayed messages of an exchange":
/// clients neither use nor change such a queue.
base::Result<> check_no_delay_queue(const ResourceName& queue);

}  // namespace warren::catalog
