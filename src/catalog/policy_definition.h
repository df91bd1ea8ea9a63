#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/names.h"
#include "catalog/records.h"

namespace warren::catalog {

enum class HaMode : std::uint8_t { none, all, exactly, nodes };
/// When a replica that is not in sync may take over.
enum class Promotion : std::uint8_t { always, when_synced };

/// A policy's definition with the keys that the broker acts on; an absent key is an empty field.
struct PolicyDefinition {
  HaMode ha_mode = HaMode::none;
  std::uint64_t ha_count = 0;      ///< of `exactly`: all replicas, the leader included
  std::vector<NodeName> ha_nodes;  ///< of `nodes`
  bool ha_sync_automatic = false;
  std::uint64_t ha_sync_batch_size = 4096;
  Promotion promote_on_shutdown = Promotion::when_synced;
  Promotion promote_on_failure = Promotion::always;

  std::optional<std::uint64_t> message_ttl_ms;
  std::optional<std::uint64_t> expires_ms;
  std::optional<std::uint64_t> max_length;
  std::optional<std::uint64_t> max_length_bytes;
  std::optional<std::uint64_t> delivery_limit;
  std::optional<std::string> overflow;
  std::optional<std::string> dead_letter_exchange;
  std::optional<std::string> dead_letter_routing_key;
  std::optional<std::string> alternate_exchange;
  std::optional<std::string> queue_mode;
  std::optional<std::string> max_age;

  /// The whole definition as compact JSON with its keys sorted, as RabbitMQ lists it.
  std::string text;
};

/// Users' policies may say anything; operators' policies set limits, which add to the others.
enum class PolicyKind : std::uint8_t { users, operators };

/// Reads and checks a definition. The error (invalid_argument) holds the complete text that users
/// see: "Validation failed\n\n...\n", or the one for text that is not JSON at all.
base::Result<PolicyDefinition> parse_policy_definition(std::string_view json,
                                                       PolicyKind kind = PolicyKind::users);

/// What both say together, as JSON like PolicyDefinition::text: of a key that both have, the lower
/// value. They may be null; empty when both are.
std::string merge_definitions(const PolicyDefinition* policy,
                              const PolicyDefinition* operator_policy);

/// Checks that a policy's pattern is a regular expression; errors as above.
base::Result<> check_policy_pattern(std::string_view pattern);

/// "all", "queues" or "exchanges"; errors as above.
base::Result<AppliesTo> parse_applies_to(std::string_view text);
std::string_view applies_to_name(AppliesTo applies_to);

}  // namespace warren::catalog
