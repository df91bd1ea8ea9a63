#include "broker/login.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/password.h"

namespace warren::broker {
namespace {

std::unexpected<base::Error> refused(std::string_view user, std::string_view why) {
  return base::fail(base::ErrorCode::access_refused, fmt::format("user '{}' {}", user, why));
}

base::Result<> check_place(std::string_view user, bool peer_is_loopback,
                           std::span<const std::string> loopback_users) {
  if (!peer_is_loopback && std::ranges::find(loopback_users, user) != loopback_users.end())
    return refused(user, "can only connect via localhost");
  return {};
}

}  // namespace

base::Result<> check_known_user(const catalog::Catalog& catalog, std::string_view user,
                                bool peer_is_loopback,
                                std::span<const std::string> loopback_users) {
  if (!catalog.find_user(user)) return refused(user, "- invalid credentials");
  return check_place(user, peer_is_loopback, loopback_users);
}

base::Result<> check_login(const catalog::Catalog& catalog, std::string_view user,
                           std::string_view password, bool peer_is_loopback,
                           std::span<const std::string> loopback_users) {
  // An unknown user costs the same digest as a known one, so the time does not tell names.
  static constexpr std::string_view nobody = "nobody with a digest that is 36b";
  const catalog::User* found = catalog.find_user(user);
  bool fits = verify_password(
      found ? std::string_view(found->password_hash) : nobody,
      found ? std::string_view(found->hashing_algorithm) : default_hashing_algorithm, password);
  if (!found || !fits) return refused(user, "- invalid credentials");
  return check_place(user, peer_is_loopback, loopback_users);
}

}  // namespace warren::broker
