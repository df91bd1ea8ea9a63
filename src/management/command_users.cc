// Users, passwords and permissions.
#include <fmt/format.h>

#include "broker/password.h"
#include "broker/permission.h"
#include "catalog/pattern.h"
#include "management/command_call.h"

namespace warren::management {
namespace {

using base::Error;
using base::ErrorCode;

JsonObject no_such_user(std::string_view name) {
  return error_reply(67, "failed", fmt::format("User \"{}\" does not exist", name));
}

/// The same as a few commands print it.
JsonObject no_such_user_term(std::string_view name) {
  return error_reply(69, "failed", fmt::format("{{:no_such_user, \"{}\"}}", name));
}

/// The same, for commands that need a user and a vhost, whose status tells which is missing.
auto topic_failure(const CommandCall& call) {
  return [has_user = call.catalog().find_user(call.arguments[0]) != nullptr](const Error& error) {
    return error_reply(has_user ? 69 : 67, "failed", error.text);
  };
}

/// A reply for a change that fails with not_found when the user is gone.
auto or_no_user(std::string name) {
  return [name = std::move(name)](const Error& error) {
    return error.code == ErrorCode::not_found ? no_such_user(name) : failed_reply(error);
  };
}

Json tags_cell(const std::vector<std::string>& tags) {
  JsonArray list;
  for (const std::string& tag : tags) list.push_back(atom_cell(tag));
  return list;
}

void list_users(const CommandCall& call) {
  JsonArray rows;
  for (const auto& [name, user] : call.catalog().users())
    rows.push_back(JsonArray{text_json(name), tags_cell(user.tags)});
  call.reply(rows_reply({"user", "tags"}, std::move(rows)));
}

base::Result<std::string> new_hash(const CommandCall& call, std::string_view password) {
  return broker::make_password_hash(password,
                                    call.operations->secure_random(broker::password_salt_bytes));
}

void add_user(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  auto already_there = [name](const Error& error) {
    if (error.code != ErrorCode::already_exists) return failed_reply(error);
    return error_reply(70, "failed", fmt::format("User \"{}\" already exists", name));
  };
  if (call.catalog().find_user(name))
    return call.reply(already_there({ErrorCode::already_exists, {}}));
  catalog::User user;
  user.name = name;
  if (call.option("pre_hashed_password")) {
    auto hash = broker::decode_base64(call.arguments[1]);
    if (!hash) return call.reply(error_reply(65, "failed", "The hash is not valid base64"));
    user.password_hash = std::move(*hash);
  } else {
    auto hash = new_hash(call, call.arguments[1]);
    if (!hash) return call.reply(failed_reply(hash.error()));
    user.password_hash = std::move(*hash);
  }
  call.propose(catalog::AddUser{std::move(user)}, already_there);
}

void change_password(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  if (!call.catalog().find_user(name)) return call.reply(no_such_user(name));
  auto hash = new_hash(call, call.arguments[1]);
  if (!hash) return call.reply(failed_reply(hash.error()));
  call.propose(catalog::SetPassword{name, std::move(*hash),
                                    std::string(broker::default_hashing_algorithm)},
               or_no_user(name));
}

void clear_password(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  if (!call.catalog().find_user(name)) return call.reply(no_such_user_term(name));
  call.propose(
      catalog::SetPassword{name, {}, std::string(broker::default_hashing_algorithm)},
      or_no_user(name));
}

void delete_user(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  if (!call.catalog().find_user(name)) return call.reply(no_such_user(name));
  call.propose(catalog::DeleteUser{name}, or_no_user(name));
}

void set_user_tags(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  if (!call.catalog().find_user(name)) return call.reply(no_such_user(name));
  call.propose(
      catalog::SetUserTags{name, {call.arguments.begin() + 1, call.arguments.end()}},
      or_no_user(name));
}

void authenticate_user(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  call.operations->authorizer()->log_in(
      nullptr, {name, call.arguments[1]}, [call, name](const base::Result<broker::Login>& login) {
        if (login) return call.reply(text_reply("Success"));
        call.reply(error_reply(65, "failed",
                               fmt::format("Error: failed to authenticate user \"{}\"\n{}", name,
                                           login.error().text)));
      });
}

/// Whether the call's user and vhost exist; replies when not.
bool has_user_and_vhost(const CommandCall& call) {
  const std::string& user = call.arguments[0];
  const bool has_user = call.catalog().find_user(user) != nullptr;
  if (has_user && call.catalog().find_vhost(call.vhost)) return true;
  call.reply(has_user ? error_reply(69, "failed",
                                    fmt::format("Virtual host {} does not exist", call.vhost))
                      : error_reply(67, "failed", fmt::format("User {} does not exist", user)));
  return false;
}

void set_permissions(const CommandCall& call) {
  if (!has_user_and_vhost(call)) return;
  for (std::size_t i = 1; i <= 3; ++i)
    if (auto pattern = catalog::Pattern::compile(call.arguments[i]); !pattern)
      return call.reply(error_reply(
          69, "failed",
          fmt::format("{{:invalid_regexp, '{}', {{'{}', {}}}}}", call.arguments[i],
                      pattern.error().text, pattern.error().offset)));
  call.propose(catalog::SetPermission{
      {call.arguments[0], call.vhost, call.arguments[1], call.arguments[2], call.arguments[3]}});
}

void clear_permissions(const CommandCall& call) {
  if (!has_user_and_vhost(call)) return;
  call.propose(catalog::ClearPermission{call.arguments[0], call.vhost}, [](const Error& error) {
    // Clearing what is not there is no failure.
    return error.code == ErrorCode::not_found ? ok_reply() : failed_reply(error);
  });
}

void set_topic_permissions(const CommandCall& call) {
  catalog::TopicPermission permission{
      {call.vhost, call.arguments[0], call.arguments[1]}, call.arguments[2], call.arguments[3]};
  call.propose(catalog::SetTopicPermission{std::move(permission)}, topic_failure(call));
}

void clear_topic_permissions(const CommandCall& call) {
  std::string exchange = call.arguments.size() > 1 ? call.arguments[1] : std::string();
  call.propose(
      catalog::ClearTopicPermission{{call.vhost, call.arguments[0], std::move(exchange)}},
      topic_failure(call));
}

/// Whether the vhost whose permissions are to be listed exists; replies when not.
bool has_listed_vhost(const CommandCall& call) {
  if (call.catalog().find_vhost(call.vhost)) return true;
  call.reply(
      error_reply(65, "plain", fmt::format("Virtual host '{}' does not exist", call.vhost)));
  return false;
}

void list_topic_permissions(const CommandCall& call) {
  if (!has_listed_vhost(call)) return;
  JsonArray rows;
  for (const auto& [name, permission] : call.catalog().topic_permissions())
    if (name.vhost == call.vhost)
      rows.push_back(JsonArray{text_json(name.user), text_json(name.exchange),
                               text_json(permission.write), text_json(permission.read)});
  call.reply(rows_reply({"user", "exchange", "write", "read"}, std::move(rows)));
}

void list_user_topic_permissions(const CommandCall& call) {
  const std::string& user = call.arguments[0];
  if (!call.catalog().find_user(user)) return call.reply(no_such_user_term(user));
  JsonArray rows;
  for (const auto& [name, permission] : call.catalog().topic_permissions())
    if (name.user == user)
      rows.push_back(JsonArray{text_json(name.vhost), text_json(name.exchange),
                               text_json(permission.write), text_json(permission.read)});
  call.reply(rows_reply({"vhost", "exchange", "write", "read"}, std::move(rows)));
}

void list_permissions(const CommandCall& call) {
  if (!has_listed_vhost(call)) return;
  JsonArray rows;
  for (const auto& [key, permission] : call.catalog().permissions())
    if (permission.vhost == call.vhost)
      rows.push_back(JsonArray{text_json(permission.user), text_json(permission.configure),
                               text_json(permission.write), text_json(permission.read)});
  call.reply(rows_reply({"user", "configure", "write", "read"}, std::move(rows)));
}

void list_user_permissions(const CommandCall& call) {
  const std::string& user = call.arguments[0];
  if (!call.catalog().find_user(user))
    return call.reply(no_such_user_term(user));
  JsonArray rows;
  for (const auto& [key, permission] : call.catalog().permissions())
    if (permission.user == user)
      rows.push_back(JsonArray{text_json(permission.vhost), text_json(permission.configure),
                               text_json(permission.write), text_json(permission.read)});
  call.reply(rows_reply({"vhost", "configure", "write", "read"}, std::move(rows)));
}

constexpr CommandEntry entries[] = {
    {"list_users", AppNeed::running, 0, list_users},
    {"add_user", AppNeed::running, 2, add_user},
    {"change_password", AppNeed::running, 2, change_password},
    {"clear_password", AppNeed::running, 1, clear_password},
    {"delete_user", AppNeed::running, 1, delete_user},
    {"set_user_tags", AppNeed::running, 1, set_user_tags},
    {"authenticate_user", AppNeed::running, 2, authenticate_user},
    {"set_permissions", AppNeed::running, 4, set_permissions},
    {"clear_permissions", AppNeed::running, 1, clear_permissions},
    {"list_permissions", AppNeed::running, 0, list_permissions},
    {"list_user_permissions", AppNeed::running, 1, list_user_permissions},
    {"set_topic_permissions", AppNeed::running, 4, set_topic_permissions},
    {"clear_topic_permissions", AppNeed::running, 1, clear_topic_permissions},
    {"list_topic_permissions", AppNeed::running, 0, list_topic_permissions},
    {"list_user_topic_permissions", AppNeed::running, 1, list_user_topic_permissions},
};

}  // namespace

std::span<const CommandEntry> user_commands() { return entries; }

}  // namespace warren::management
