#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/field_value.h"

namespace warren::broker {

/// Why a message left its queue other than by being taken: rejected, too old, one too many, or
/// given back too often.
enum class DeathReason : std::uint8_t { rejected, expired, maxlen, delivery_limit };
/// As it stands in headers and in listings: "rejected", "expired", "maxlen", "delivery_limit".
std::string_view death_reason_name(DeathReason reason);

/// How a message left a queue that dead-letters it.
struct Death {
  std::string queue;
  DeathReason reason = DeathReason::rejected;
  std::string exchange;                   ///< where it was published before it came to the queue
  std::vector<std::string> routing_keys;  ///< its own, then those of its copies that show
  std::uint64_t time_s = 0;               ///< since 1970
  std::optional<std::string> original_expiration;
};

/// Writes a death into a message's headers, and leaves these in the order of their names.
///
/// "x-death" is a list with one table for each queue and reason, with a count. The latest death
/// stands in front; the others turn round with each, as clients know it of RabbitMQ. A list that a
/// publisher wrote is taken for what it says: of tables about the same queue and reason the first
/// stays, what is no table goes, and so does an "x-death" that is no list.
/// Where there was none of that name, the first death stands in "x-first-death-queue", "-reason"
/// and "-exchange" too.
void note_death(base::FieldTable& headers, const Death& death);

/// Whether a message with these headers, which tell of its last death too, would come back to
/// `queue` without having been rejected there or since then. Such a message goes in a circle and is
/// not sent there.
bool is_dead_letter_cycle(const base::FieldTable& headers, std::string_view queue);

}  // namespace warren::broker
