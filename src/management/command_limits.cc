// Limits of vhosts and users, and the runtime parameters through which some of them are set.
#include <fmt/format.h>

#include "management/command_call.h"
#include "management/limits.h"

namespace warren::management {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::string_view vhost_limits_component = "vhost-limits";
constexpr std::string_view vhost_limits_name = "limits";
constexpr std::string_view cluster_name = "cluster_name";

JsonObject no_such_vhost(std::string_view name) {
  return error_reply(65, "plain", fmt::format("Virtual host '{}' does not exist", name));
}

JsonObject no_such_user(std::string_view name) {
  return error_reply(69, "failed", fmt::format("{{:no_such_user, \"{}\"}}", name));
}

JsonObject no_such_parameter() { return error_reply(69, "failed", "Parameter does not exist"); }

JsonObject not_valid(std::string_view why) {
  return error_reply(69, "failed", fmt::format("Validation failed\n\n{}\n", why));
}

// Of vhosts.

void put_vhost_limits(const CommandCall& call, std::string_view definition) {
  if (!call.catalog().find_vhost(call.vhost)) return call.reply(no_such_vhost(call.vhost));
  catalog::Limits limits;
  if (auto read = read_limits(definition, vhost_limit_names, "limits", limits); !read)
    return call.reply(parse_json(definition) ? not_valid(read.error().text)
                                             : failed_reply(read.error()));
  call.propose(catalog::SetVhostLimits{call.vhost, limits});
}

void set_vhost_limits(const CommandCall& call) { put_vhost_limits(call, call.arguments[0]); }

void clear_vhost_limits(const CommandCall& call) {
  call.propose(catalog::SetVhostLimits{call.vhost, std::nullopt}, [](const Error& error) {
    return error.code == ErrorCode::not_found ? no_such_parameter() : failed_reply(error);
  });
}

void list_vhost_limits(const CommandCall& call) {
  JsonArray rows;
  if (call.option("global")) {
    for (const auto& [name, vhost] : call.catalog().vhosts())
      if (vhost.limits)
        rows.push_back(
            JsonArray{text_json(name), text_json(print_json(limits_json(*vhost.limits)))});
    return call.reply(rows_reply({"vhost", "limits"}, std::move(rows)));
  }
  const catalog::Vhost* vhost = call.catalog().find_vhost(call.vhost);
  if (!vhost) return call.reply(no_such_vhost(call.vhost));
  if (!vhost->limits) return call.reply(rows_reply({"limits"}, std::move(rows)));
  call.reply(text_reply(print_json(limits_json(*vhost->limits))));
}

// Of users.

void set_user_limits(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  const catalog::User* user = call.catalog().find_user(name);
  if (!user) return call.reply(no_such_user(name));
  catalog::Limits limits = user->limits;
  if (auto read = read_limits(call.arguments[1], user_limit_names, "user-limits", limits); !read)
    return call.reply(failed_reply(read.error()));
  call.propose(catalog::SetUserLimits{name, limits});
}

void clear_user_limits(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  const std::string& which = call.arguments[1];
  const catalog::User* user = call.catalog().find_user(name);
  if (!user) return call.reply(no_such_user(name));
  catalog::Limits limits = user->limits;
  if (which == "all")
    limits = {};
  else if (auto* limit = find_limit(limits, which))
    limit->reset();
  call.propose(catalog::SetUserLimits{name, limits});
}

void list_user_limits(const CommandCall& call) {
  if (call.option("global")) {
    JsonArray rows;
    for (const auto& [name, user] : call.catalog().users())
      if (user.limits != catalog::Limits())
        rows.push_back(
            JsonArray{text_json(name), text_json(print_json(limits_json(user.limits)))});
    return call.reply(rows_reply({"user", "limits"}, std::move(rows)));
  }
  const std::string name = member_text(call.options, "user", "guest");
  const catalog::User* user = call.catalog().find_user(name);
  if (!user) return call.reply(no_such_user(name));
  call.reply(text_reply(print_json(limits_json(user->limits))));
}

// Runtime parameters. The only component that stands in the catalog as one is that of limits.

void set_parameter(const CommandCall& call) {
  if (!call.catalog().find_vhost(call.vhost)) return call.reply(no_such_vhost(call.vhost));
  if (!parse_json(call.arguments[2]))
    return call.reply(error_reply(69, "failed", "JSON decoding error. Reason: badarg"));
  const std::string& component = call.arguments[0];
  if (component != vhost_limits_component)
    return call.reply(not_valid(fmt::format("component {} not found", component)));
  if (call.arguments[1] != vhost_limits_name)
    return call.reply(not_valid(fmt::format("the name has to be '{}'", vhost_limits_name)));
  put_vhost_limits(call, call.arguments[2]);
}

void clear_parameter(const CommandCall& call) {
  if (call.arguments[0] != vhost_limits_component || call.arguments[1] != vhost_limits_name)
    return call.reply(no_such_parameter());
  clear_vhost_limits(call);
}

void list_parameters(const CommandCall& call) {
  const catalog::Vhost* vhost = call.catalog().find_vhost(call.vhost);
  if (!vhost) return call.reply(no_such_vhost(call.vhost));
  JsonArray rows;
  if (vhost->limits)
    rows.push_back(JsonArray{text_json(vhost_limits_component), text_json(vhost_limits_name),
                             text_json(print_json(limits_json(*vhost->limits)))});
  call.reply(rows_reply({"component", "name", "value"}, std::move(rows)));
}

/// Values are JSON texts, but for the cluster's name, which is kept as it is.
void set_global_parameter(const CommandCall& call) {
  auto parsed = parse_json(call.arguments[1]);
  if (!parsed)
    return call.reply(error_reply(69, "failed", "JSON decoding error. Reason: badarg"));
  std::string value = print_json(*parsed);
  if (call.arguments[0] == cluster_name) {
    if (!parsed->is_string())
      return call.reply(not_valid("cluster_name should be binary, actually was " + value));
    value = text_of(parsed->get_string());
  }
  call.propose(catalog::SetGlobalParameter{call.arguments[0], std::move(value)});
}

void clear_global_parameter(const CommandCall& call) {
  const std::string& name = call.arguments[0];
  if (!call.catalog().global_parameters().contains(name)) return call.reply(no_such_parameter());
  call.propose(catalog::SetGlobalParameter{name, {}});
}

void list_global_parameters(const CommandCall& call) {
  JsonArray rows;
  for (const auto& [name, value] : call.catalog().global_parameters())
    rows.push_back(JsonArray{
        text_json(name), name == cluster_name ? text_json(print_json(text_json(value)))
                                              : text_json(value)});
  call.reply(rows_reply({"name", "value"}, std::move(rows)));
}

constexpr CommandEntry entries[] = {
    {"set_vhost_limits", AppNeed::running, 1, set_vhost_limits},
    {"clear_vhost_limits", AppNeed::running, 0, clear_vhost_limits},
    {"list_vhost_limits", AppNeed::running, 0, list_vhost_limits},
    {"set_user_limits", AppNeed::running, 2, set_user_limits},
    {"clear_user_limits", AppNeed::running, 2, clear_user_limits},
    {"list_user_limits", AppNeed::running, 0, list_user_limits},
    {"set_parameter", AppNeed::running, 3, set_parameter},
    {"clear_parameter", AppNeed::running, 2, clear_parameter},
    {"list_parameters", AppNeed::running, 0, list_parameters},
    {"set_global_parameter", AppNeed::running, 2, set_global_parameter},
    {"clear_global_parameter", AppNeed::running, 1, clear_global_parameter},
    {"list_global_parameters", AppNeed::running, 0, list_global_parameters},
};

}  // namespace

std::span<const CommandEntry> limit_commands() { return entries; }

}  // namespace warren::management
