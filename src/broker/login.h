#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/catalog.h"

namespace warren::broker {

/// Checks a user's password. The text of the error, always access_refused, is for the log: "user
/// 'x' - invalid credentials", or "user 'guest' can only connect via localhost" for one of the
/// `loopback_users` whose peer is elsewhere. A client must not be told which.
base::Result<> check_login(const catalog::Catalog& catalog, std::string_view user,
                           std::string_view password, bool peer_is_loopback,
                           std::span<const std::string> loopback_users);

/// The same for a user whom something else than a password has proven.
base::Result<> check_known_user(const catalog::Catalog& catalog, std::string_view user,
                                bool peer_is_loopback,
                                std::span<const std::string> loopback_users);

}  // namespace warren::broker
