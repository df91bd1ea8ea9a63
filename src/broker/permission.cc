#include "broker/permission.h"

#include <fmt/format.h>

namespace warren::broker {
namespace {

const std::string& pattern_for(const catalog::Permission& permission, Access access) {
  switch (access) {
    case Access::configure:
      return permission.configure;
    case Access::write:
      return permission.write;
    case Access::read:
      break;
  }
  return permission.read;
}

}  // namespace

base::Result<> Authorizer::check(std::string_view user, std::string_view vhost, ResourceKind kind,
                                 std::string_view name, Access access) {
  if (kind == ResourceKind::exchange && name.empty()) name = "amq.default";
  const catalog::Permission* permission = catalog_.find_permission(user, vhost);
  if (permission && patterns_.matches(pattern_for(*permission, access), name)) return {};
  std::string resource = resource_text(kind, {std::string(vhost), std::string(name)});
  return base::fail(base::ErrorCode::access_refused,
                    fmt::format("access to {} refused for user '{}'", resource, user));
}

base::Result<> Authorizer::check_vhost(std::string_view user, std::string_view vhost) const {
  using base::ErrorCode;
  if (!catalog_.find_vhost(vhost))
    return base::fail(ErrorCode::not_allowed, fmt::format("vhost {} not found", vhost));
  if (!catalog_.find_permission(user, vhost))
    return base::fail(ErrorCode::not_allowed,
                      fmt::format("access to vhost '{}' refused for user '{}'", vhost, user));
  return {};
}

}  // namespace warren::broker
