#pragma once

#include <cstdint>
#include <string_view>

namespace warren::broker {

/// Why a message left its queue other than by being taken: rejected, too old, one too many, or
/// given back too often.
enum class DeathReason : std::uint8_t { rejected, expired, maxlen, delivery_limit };
/// As it stands in headers and in listings: "rejected", "expired", "maxlen", "delivery_limit".
std::string_view death_reason_name(DeathReason reason);

}  // namespace warren::broker
