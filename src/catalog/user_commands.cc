#include <fmt/format.h>

#include "catalog/applier.h"
#include "catalog/pattern.h"

namespace warren::catalog {
namespace {

/// `quote` is what stands around the pattern in the error: RabbitMQ's differ.
base::Result<> check_pattern(const std::string& pattern, char quote) {
  auto compiled = Pattern::compile(pattern);
  if (compiled) return {};
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("{{:invalid_regexp, {}{}{}, {{'{}', {}}}}}", quote, pattern, quote,
                                compiled.error().text, compiled.error().offset));
}

}  // namespace

base::Result<User*> Applier::user(std::string_view name) {
  auto entry = catalog_.users_.find(name);
  if (entry == catalog_.users_.end())
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("User \"{}\" does not exist", name));
  return &entry->second;
}

base::Result<> Applier::check_user_in_vhost(const std::string& user,
                                            const std::string& vhost) const {
  if (!catalog_.users_.contains(user))
    return base::fail(base::ErrorCode::not_found, fmt::format("User {} does not exist", user));
  if (!catalog_.vhosts_.contains(vhost))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("Virtual host {} does not exist", vhost));
  return {};
}

void Applier::permissions_changed(const std::string& user) {
  ++catalog_.permission_version_;
  changes_.emplace_back(UserChanged{user});
}

Applier::Result Applier::operator()(const AddUser& command) {
  if (!catalog_.users_.try_emplace(command.user.name, command.user).second)
    return base::fail(base::ErrorCode::already_exists,
                      fmt::format("User \"{}\" already exists", command.user.name));
  return Applied{};
}

Applier::Result Applier::operator()(const DeleteUser& command) {
  TRY(user(command.name));
  catalog_.users_.erase(command.name);
  std::erase_if(catalog_.permissions_,
                [&](const auto& entry) { return entry.first.name == command.name; });
  std::erase_if(catalog_.topic_permissions_,
                [&](const auto& entry) { return entry.first.user == command.name; });
  permissions_changed(command.name);
  return Applied{};
}

Applier::Result Applier::operator()(const SetPassword& command) {
  TRY_ASSIGN(User * changed, user(command.name));
  changed->password_hash = command.password_hash;
  changed->hashing_algorithm = command.hashing_algorithm;
  changes_.emplace_back(UserChanged{command.name});
  return Applied{};
}

Applier::Result Applier::operator()(const SetUserTags& command) {
  TRY_ASSIGN(User * changed, user(command.name));
  changed->tags = command.tags;
  changes_.emplace_back(UserChanged{command.name});
  return Applied{};
}

Applier::Result Applier::operator()(const SetPermission& command) {
  const Permission& permission = command.permission;
  for (const std::string* pattern :
       {&permission.configure, &permission.write, &permission.read})
    TRY(check_pattern(*pattern, '\''));
  TRY(check_user_in_vhost(permission.user, permission.vhost));
  catalog_.permissions_.insert_or_assign(ResourceName{permission.vhost, permission.user},
                                         permission);
  permissions_changed(permission.user);
  return Applied{};
}

Applier::Result Applier::operator()(const ClearPermission& command) {
  TRY(check_user_in_vhost(command.user, command.vhost));
  if (catalog_.permissions_.erase({command.vhost, command.user}) > 0)
    permissions_changed(command.user);
  return Applied{};
}

Applier::Result Applier::operator()(const SetTopicPermission& command) {
  const TopicPermission& permission = command.permission;
  TRY(check_pattern(permission.write, '"'));
  TRY(check_pattern(permission.read, '"'));
  TRY(check_user_in_vhost(permission.name.user, permission.name.vhost));
  catalog_.topic_permissions_.insert_or_assign(permission.name, permission);
  permissions_changed(permission.name.user);
  return Applied{};
}

Applier::Result Applier::operator()(const ClearTopicPermission& command) {
  TRY(check_user_in_vhost(command.name.user, command.name.vhost));
  auto goes = [&name = command.name](const TopicPermissionName& each) {
    return each.vhost == name.vhost && each.user == name.user &&
           (name.exchange.empty() || each.exchange == name.exchange);
  };
  const std::size_t gone = std::erase_if(catalog_.topic_permissions_,
                                         [&](const auto& entry) { return goes(entry.first); });
  if (gone > 0) permissions_changed(command.name.user);
  return Applied{};
}

Applier::Result Applier::operator()(const SetUserLimits& command) {
  TRY_ASSIGN(User * changed, user(command.user));
  changed->limits = command.limits;
  changes_.emplace_back(UserChanged{command.user});
  return Applied{};
}

}  // namespace warren::catalog
