// /api/users, /api/permissions, /api/topic-permissions and /api/whoami.
#include <algorithm>
#include <memory>

#include "broker/password.h"
#include "catalog/pattern.h"
#include "management/http_call.h"
#include "management/limits.h"

namespace warren::management {
namespace {

void whoami(const HttpCall& call) {
  call.answer_json(
      JsonObject{{"name", text_json(call.login.user)}, {"tags", texts_json(call.login.tags)}});
}

JsonObject user_json(const catalog::User& user) {
  return {{"name", text_json(user.name)},
          {"password_hash", text_json(broker::encode_base64(user.password_hash))},
          {"hashing_algorithm", text_json(user.hashing_algorithm)},
          {"tags", texts_json(user.tags)},
          {"limits", limits_json(user.limits)}};
}

void list_users(const HttpCall& call) {
  JsonArray list;
  for (const auto& [name, user] : call.catalog().users()) list.push_back(user_json(user));
  call.answer_list(std::move(list));
}

bool has_permissions(const HttpCall& call, std::string_view user) {
  for (const auto& [key, permission] : call.catalog().permissions())
    if (permission.user == user) return true;
  return false;
}

void users_without_permissions(const HttpCall& call) {
  JsonArray list;
  for (const auto& [name, user] : call.catalog().users())
    if (!has_permissions(call, name)) list.push_back(user_json(user));
  call.answer_list(std::move(list));
}

void show_user(const HttpCall& call) {
  const catalog::User* user = call.catalog().find_user(call.path[0]);
  if (!user) return call.not_found();
  call.answer_json(user_json(*user));
}

/// The password's hash, made here or given; answers 400 and gives empty for a bad one.
std::optional<std::string> read_hash(const HttpCall& call, const JsonObject& body) {
  if (body.contains("password_hash")) {
    if (auto hash = broker::decode_base64(member_text(body, "password_hash")))
      return std::move(*hash);
    call.bad_request("password_hash is no base64");
    return std::nullopt;
  }
  const std::string password = member_text(body, "password");
  if (password.empty()) return std::string();
  auto hash = broker::make_password_hash(
      password, call.operations->secure_random(broker::password_salt_bytes));
  if (hash) return std::move(*hash);
  call.answer_failure(hash.error());
  return std::nullopt;
}

// Changing a user takes two steps; the second is proposed when the first has been applied.
void change_user(const HttpCall& call, catalog::User user) {
  catalog::SetPassword first{user.name, user.password_hash, user.hashing_algorithm};
  catalog::SetUserTags second{user.name, user.tags};
  call.operations->propose(first, [call, second](base::Result<catalog::Applied> done) {
    if (!done) return call.answer_failure(done.error());
    call.propose(second, 204);
  });
}

void put_user(const HttpCall& call) {
  auto body = call.object_body({"tags"});
  if (!body) return;
  auto hash = read_hash(call, *body);
  if (!hash) return;
  catalog::User user;
  user.name = call.path[0];
  user.password_hash = std::move(*hash);
  user.hashing_algorithm =
      member_text(*body, "hashing_algorithm", broker::default_hashing_algorithm);
  if (!broker::is_hashing_algorithm(user.hashing_algorithm))
    return call.bad_request("hashing_algorithm is not known");
  user.tags = tags_from(body->if_contains("tags"));
  if (call.catalog().find_user(user.name)) return change_user(call, std::move(user));
  call.propose(catalog::AddUser{std::move(user)}, 201);
}

void delete_user(const HttpCall& call) {
  if (!call.catalog().find_user(call.path[0])) return call.not_found();
  call.propose(catalog::DeleteUser{call.path[0]}, 204);
}

/// Deletes them one after the other, up to the first that there is not.
void delete_users(const HttpCall& call, std::shared_ptr<std::vector<std::string>> left) {
  if (left->empty()) return call.answer_status(204);
  if (!call.is_served()) return;
  const std::string name = std::move(left->back());
  left->pop_back();
  if (!call.catalog().find_user(name))
    return call.answer_error(400, "bad_request", JsonArray{"no_such_user", text_json(name)});
  call.operations->propose(catalog::DeleteUser{name},
                           [call, left](const base::Result<catalog::Applied>& done) {
                             if (!done) return call.answer_failure(done.error());
                             delete_users(call, left);
                           });
}

void bulk_delete_users(const HttpCall& call) {
  auto body = call.object_body({"users"});
  if (!body) return;
  std::vector<std::string> names = tags_from(body->if_contains("users"));
  std::ranges::reverse(names);
  delete_users(call, std::make_shared<std::vector<std::string>>(std::move(names)));
}

/// Answers 400 and gives false for a text that is no regular expression. What is wrong with it is a
/// list of characters, as clients know it.
bool is_pattern(const HttpCall& call, std::string_view text) {
  const auto pattern = catalog::Pattern::compile(text);
  if (pattern) return true;
  JsonArray letters;
  for (unsigned char letter : pattern.error().text) letters.emplace_back(std::uint64_t{letter});
  JsonArray fault;
  fault.push_back(std::move(letters));
  fault.emplace_back(std::uint64_t{pattern.error().offset});
  JsonArray reason{"invalid_regexp", text_json(text)};
  reason.push_back(std::move(fault));
  call.answer_error(400, "bad_request", reason);
  return false;
}

JsonObject permission_json(const catalog::Permission& permission) {
  return {{"user", text_json(permission.user)},
          {"vhost", text_json(permission.vhost)},
          {"configure", text_json(permission.configure)},
          {"write", text_json(permission.write)},
          {"read", text_json(permission.read)}};
}

template <typename Wanted>
void permissions_of(const HttpCall& call, Wanted wanted) {
  JsonArray list;
  for (const auto& [key, permission] : call.catalog().permissions())
    if (wanted(permission)) list.push_back(permission_json(permission));
  call.answer_list(std::move(list));
}

void list_permissions(const HttpCall& call) {
  permissions_of(call, [](const catalog::Permission&) { return true; });
}
void user_permissions(const HttpCall& call) {
  if (!call.catalog().find_user(call.path[0])) return call.not_found();
  permissions_of(call, [&](const catalog::Permission& p) { return p.user == call.path[0]; });
}
void vhost_permissions(const HttpCall& call) {
  permissions_of(call, [&](const catalog::Permission& p) { return p.vhost == call.path[0]; });
}

void show_permission(const HttpCall& call) {
  const catalog::Permission* found = call.catalog().find_permission(call.path[1], call.path[0]);
  if (!found) return call.not_found();
  call.answer_json(permission_json(*found));
}

/// The body that gives the user in the path those patterns in the vhost there, and says what else
/// is needed; answers 400 and gives empty for a bad one.
std::optional<JsonObject> permission_body(const HttpCall& call,
                                          std::initializer_list<std::string_view> needed,
                                          std::initializer_list<std::string_view> patterns) {
  auto body = call.object_body(needed);
  if (!body) return body;
  if (!call.catalog().find_user(call.path[1]) || !call.catalog().find_vhost(call.path[0])) {
    call.bad_request("vhost_or_user_not_found");
    return std::nullopt;
  }
  for (std::string_view name : patterns)
    if (!is_pattern(call, member_text(*body, name))) return std::nullopt;
  return body;
}

void put_permission(const HttpCall& call) {
  const auto body = permission_body(call, {"configure", "write", "read"},
                                    {"configure", "write", "read"});
  if (!body) return;
  const bool is_new = !call.catalog().find_permission(call.path[1], call.path[0]);
  call.propose(catalog::SetPermission{{call.path[1], call.path[0], member_text(*body, "configure"),
                                       member_text(*body, "write"), member_text(*body, "read")}},
               is_new ? 201 : 204);
}

void delete_permission(const HttpCall& call) {
  if (!call.catalog().find_permission(call.path[1], call.path[0])) return call.not_found();
  call.propose(catalog::ClearPermission{call.path[1], call.path[0]}, 204);
}

JsonObject topic_permission_json(const catalog::TopicPermission& permission) {
  return {{"user", text_json(permission.name.user)},
          {"vhost", text_json(permission.name.vhost)},
          {"exchange", text_json(permission.name.exchange)},
          {"write", text_json(permission.write)},
          {"read", text_json(permission.read)}};
}

/// Null: whatever it is.
JsonArray topic_permissions_of(const HttpCall& call, const std::string* vhost,
                               const std::string* user) {
  JsonArray list;
  for (const auto& [name, permission] : call.catalog().topic_permissions())
    if ((!vhost || name.vhost == *vhost) && (!user || name.user == *user))
      list.push_back(topic_permission_json(permission));
  return list;
}

void list_topic_permissions(const HttpCall& call) {
  call.answer_list(topic_permissions_of(call, nullptr, nullptr));
}
void user_topic_permissions(const HttpCall& call) {
  if (!call.catalog().find_user(call.path[0])) return call.not_found();
  call.answer_list(topic_permissions_of(call, nullptr, &call.path[0]));
}
void vhost_topic_permissions(const HttpCall& call) {
  call.answer_list(topic_permissions_of(call, &call.path[0], nullptr));
}

void show_topic_permissions(const HttpCall& call) {
  JsonArray list = topic_permissions_of(call, call.path.data(), &call.path[1]);
  if (list.empty()) return call.not_found();
  call.answer_list(std::move(list));
}

void put_topic_permission(const HttpCall& call) {
  const auto body =
      permission_body(call, {"exchange", "write", "read"}, {"write", "read"});
  if (!body) return;
  const bool is_new = topic_permissions_of(call, call.path.data(), &call.path[1]).empty();
  call.propose(catalog::SetTopicPermission{{{call.path[0], call.path[1],
                                             member_text(*body, "exchange")},
                                            member_text(*body, "write"),
                                            member_text(*body, "read")}},
               is_new ? 201 : 204);
}

/// Of one exchange, or all.
void delete_topic_permissions(const HttpCall& call) {
  if (topic_permissions_of(call, call.path.data(), &call.path[1]).empty()) return call.not_found();
  std::string exchange = call.path.size() > 2 ? call.path[2] : std::string();
  call.propose(catalog::ClearTopicPermission{{call.path[0], call.path[1], std::move(exchange)}},
               204);
}

constexpr HttpPower administrator = HttpPower::administrator;
constexpr HttpRoute entries[] = {
    {"GET", "whoami", HttpPower::management, whoami},
    {"GET", "users", administrator, list_users},
    {"GET", "users/without-permissions", administrator, users_without_permissions},
    {"GET", "users/*", administrator, show_user},
    {"PUT", "users/*", administrator, put_user},
    {"DELETE", "users/*", administrator, delete_user},
    {"POST", "users/bulk-delete", administrator, bulk_delete_users},
    {"GET", "users/*/permissions", administrator, user_permissions},
    {"GET", "permissions", administrator, list_permissions},
    {"GET", "permissions/*/*", administrator, show_permission},
    {"PUT", "permissions/*/*", administrator, put_permission},
    {"DELETE", "permissions/*/*", administrator, delete_permission},
    {"GET", "vhosts/*/permissions", administrator, vhost_permissions, true},
    {"GET", "users/*/topic-permissions", administrator, user_topic_permissions},
    {"GET", "vhosts/*/topic-permissions", administrator, vhost_topic_permissions, true},
    {"GET", "topic-permissions", administrator, list_topic_permissions},
    {"GET", "topic-permissions/*/*", administrator, show_topic_permissions},
    {"PUT", "topic-permissions/*/*", administrator, put_topic_permission},
    {"DELETE", "topic-permissions/*/*", administrator, delete_topic_permissions},
    {"GET", "topic-permissions/*/*/*", administrator, show_topic_permissions},
    {"DELETE", "topic-permissions/*/*/*", administrator, delete_topic_permissions},
};

}  // namespace

std::span<const HttpRoute> user_routes() { return entries; }

}  // namespace warren::management
