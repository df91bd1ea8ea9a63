#include "broker/permission.h"

#include <fmt/format.h>

#include <cctype>

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

/// What stands in braces in a topic's pattern stands for this text, and for no pattern: whoever
/// chooses a user's name must not choose what the user may do.
void replace_all(std::string& pattern, std::string_view variable, std::string_view text) {
  for (std::size_t at = pattern.find(variable); at != std::string::npos;) {
    std::string quoted;
    for (char c : text) {
      if (c == '\0') {
        quoted += "\\x00";
        continue;
      }
      const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0;
      if (!is_plain) quoted += '\\';
      quoted += c;
    }
    pattern.replace(at, variable.size(), quoted);
    at = pattern.find(variable, at + quoted.size());
  }
}

}  // namespace

base::Result<> Authorizer::check_topic(std::string_view user, const catalog::Exchange& exchange,
                                       std::string_view routing_key, Access access) {
  if (exchange.type != "topic") return {};
  const auto* permission = catalog_.find_topic_permission(user, exchange.name);
  if (!permission) return {};
  std::string pattern = access == Access::write ? permission->write : permission->read;
  if (pattern.find('{') != std::string::npos) {
    replace_all(pattern, "{username}", user);
    replace_all(pattern, "{vhost}", exchange.name.vhost);
  }
  if (patterns_.matches(pattern, routing_key)) return {};
  return base::fail(base::ErrorCode::access_refused,
                    fmt::format("access to topic '{}' in {} refused for user '{}'", routing_key,
                                resource_text(ResourceKind::exchange, exchange.name), user));
}

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
