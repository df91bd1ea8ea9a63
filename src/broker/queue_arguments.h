#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/field_value.h"
#include "base/result.h"
#include "catalog/names.h"
#include "catalog/policy_definition.h"

namespace warren::broker {

/// What a client asks for in a declaration, before there is a queue.
struct QueueDeclaration {
  catalog::ResourceName name;
  bool durable = false;  ///< false when exclusive: exclusive queues are never durable
  bool exclusive = false;
  bool auto_delete = false;
  base::FieldTable arguments;
};

/// The declaration arguments that mean something to the broker, in the order in which they are
/// checked and compared. Others are kept and ignored.
std::span<const std::string_view> known_queue_arguments();

/// A name that a client chose: access_refused "queue name 'amq.x' contains reserved prefix
/// 'amq.*'". It is checked before the queue is looked up, so even an existing queue of such a
/// name can't be declared again.
base::Result<> check_queue_name(std::string_view name);

/// Whether the broker may make up a name: precondition_failed for queue types that need one.
base::Result<> check_server_named(const base::FieldTable& arguments);

/// Checks a declaration of a queue that does not exist yet (an existing one is compared, not
/// checked: see equivalence.h). All failures are precondition_failed: an argument of the wrong
/// type or value, one that does not go with the queue type, a property that does not, and queue
/// types other than classic, which are not offered.
base::Result<> check_new_queue(const QueueDeclaration& declaration);

/// What a queue of these arguments makes of its messages' priorities: zero for nothing.
std::uint8_t max_priority(const base::FieldTable& arguments);

bool has_single_active_consumer(const base::FieldTable& arguments);

/// What a queue does with a message that it has no room for.
enum class Overflow : std::uint8_t {
  drop_head,           ///< the oldest ready message goes, dead-lettered where that is set
  reject_publish,      ///< the new one is refused
  reject_publish_dlx,  ///< the new one is refused, and dead-lettered
};

/// How a queue behaves, as its declaration and its policies say together. An absent value is a
/// limit that the queue does not have.
struct QueueSettings {
  std::optional<std::uint64_t> message_ttl_ms;
  std::optional<std::uint64_t> expires_ms;
  std::optional<std::uint64_t> max_length;
  std::optional<std::uint64_t> max_length_bytes;
  std::optional<std::uint64_t> delivery_limit;
  Overflow overflow = Overflow::drop_head;
  std::optional<std::string> dead_letter_exchange;
  std::optional<std::string> dead_letter_routing_key;

  bool operator==(const QueueSettings&) const = default;
};

/// Of a limit that several of the three set, the lowest holds. Of anything else the declaration's
/// word comes before the policy's, and the operator has none. Arguments must have passed
/// check_new_queue; the policies may be null.
QueueSettings make_queue_settings(const base::FieldTable& arguments,
                                  const catalog::PolicyDefinition* policy,
                                  const catalog::PolicyDefinition* operator_policy);

/// precondition_failed for x-priority that is no integer and the like.
base::Result<> check_consumer_arguments(const catalog::ResourceName& queue,
                                        const base::FieldTable& arguments);

}  // namespace warren::broker
