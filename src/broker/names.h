#pragma once

#include <string>
#include <string_view>

namespace warren::broker {

/// Random bytes that a made-up name takes.
inline constexpr std::size_t name_random_bytes = 16;

/// "amq.gen-" or "amq.ctag-" and 22 characters of URL-safe base64. `random` has exactly
/// name_random_bytes from a secure source: whoever knows such a name may use the queue.
std::string make_queue_name(std::string_view random);
std::string make_consumer_tag(std::string_view random);

/// The name without CR and LF, as the broker keeps names of queues and exchanges.
std::string strip_line_breaks(std::string_view name);

/// True for names that start with "amq.".
bool has_reserved_prefix(std::string_view name);

}  // namespace warren::broker
