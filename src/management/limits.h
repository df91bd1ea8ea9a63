#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/records.h"
#include "management/json.h"

/// Limits of vhosts and users as JSON, {"max-queues":5}.
namespace warren::management {

inline constexpr std::string_view vhost_limit_names[] = {"max-connections", "max-queues"};
inline constexpr std::string_view user_limit_names[] = {"max-channels", "max-connections"};

/// As RabbitMQ shows a value in its complaints.
std::string erlang_text(const Json& value);
/// The field of that name, or null.
std::optional<std::int64_t>* find_limit(catalog::Limits& limits, std::string_view name);
/// Those that are set, in the order of their names.
JsonObject limits_json(const catalog::Limits& limits);
/// Puts the members of a JSON object into `limits`. invalid_argument for what is no JSON, no
/// number, or none of the `names`; then they stay as they were.
base::Result<> read_limits(std::string_view text, std::span<const std::string_view> names,
                           std::string_view what, catalog::Limits& limits);

}  // namespace warren::management
