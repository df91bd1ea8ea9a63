#include <fmt/format.h>

#include "catalog/applier.h"
#include "catalog/pattern.h"

namespace warren::catalog {
namespace {

base::Result<> check_pattern(const std::string& pattern) {
  auto compiled = Pattern::compile(pattern);
  if (compiled) return {};
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("{{:invalid_regexp, '{}', {{'{}', {}}}}}", pattern,
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
  ++catalog_.permission_version_;
  changes_.emplace_back(UserChanged{command.name});
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
    TRY(check_pattern(*pattern));
  if (!catalog_.users_.contains(permission.user))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("User {} does not exist", permission.user));
  if (!catalog_.vhosts_.contains(permission.vhost))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("Virtual host {} does not exist", permission.vhost));
  catalog_.permissions_.insert_or_assign(ResourceName{permission.vhost, permission.user},
                                         permission);
  ++catalog_.permission_version_;
  changes_.emplace_back(UserChanged{permission.user});
  return Applied{};
}

Applier::Result Applier::operator()(const ClearPermission& command) {
  if (!catalog_.users_.contains(command.user))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("User {} does not exist", command.user));
  if (!catalog_.vhosts_.contains(command.vhost))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("Virtual host {} does not exist", command.vhost));
  if (catalog_.permissions_.erase({command.vhost, command.user}) > 0) {
    ++catalog_.permission_version_;
    changes_.emplace_back(UserChanged{command.user});
  }
  return Applied{};
}

}  // namespace warren::catalog
