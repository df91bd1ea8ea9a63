// /api/vhost-limits, /api/user-limits, /api/parameters and /api/global-parameters.
#include <fmt/format.h>

#include "management/http_call.h"
#include "management/limits.h"

namespace warren::management {
namespace {

/// The one component that stands in the catalog as a parameter.
constexpr std::string_view limits_component = "vhost-limits";
constexpr std::string_view limits_name = "limits";
/// The one global parameter that is kept as a text, and not as JSON.
constexpr std::string_view cluster_name = "cluster_name";

/// As clients know it: none at all are an empty list.
Json limits_value(const catalog::Limits& limits) {
  JsonObject object = limits_json(limits);
  return object.empty() ? Json(JsonArray{}) : Json(std::move(object));
}

// Of vhosts: vhost-limits/VHOST/NAME.

void answer_vhost_limits(const HttpCall& call, const std::string* vhost) {
  JsonArray list;
  for (const auto& [name, found] : call.catalog().vhosts())
    if (found.limits && (!vhost || name == *vhost) && call.sees_vhost(name))
      list.push_back(
          JsonObject{{"vhost", text_json(name)}, {"value", limits_value(*found.limits)}});
  call.answer_list(std::move(list));
}
void all_vhost_limits(const HttpCall& call) { answer_vhost_limits(call, nullptr); }
void vhost_limits(const HttpCall& call) { answer_vhost_limits(call, &call.path[0]); }

std::string not_valid(std::string_view why) {
  return fmt::format("Validation failed\n\n{}\n", why);
}

void put_vhost_limit(const HttpCall& call) {
  auto body = call.object_body({"value"});
  if (!body) return;
  catalog::Limits limits =
      call.catalog().find_vhost(call.path[0])->limits.value_or(catalog::Limits());
  const std::string text = print_json(JsonObject{{call.path[1], body->at("value")}});
  if (auto read = read_limits(text, vhost_limit_names, "limits", limits); !read)
    return call.bad_request(not_valid(read.error().text));
  call.propose(catalog::SetVhostLimits{call.path[0], limits}, 204);
}

void delete_vhost_limit(const HttpCall& call) {
  auto limits = call.catalog().find_vhost(call.path[0])->limits;
  auto* limit = limits ? find_limit(*limits, call.path[1]) : nullptr;
  if (!limit) return call.answer_status(204);
  limit->reset();
  call.propose(catalog::SetVhostLimits{call.path[0], limits}, 204);
}

// Of users: user-limits/USER/NAME.

void answer_user_limits(const HttpCall& call, const std::string* user) {
  JsonArray list;
  for (const auto& [name, found] : call.catalog().users())
    if ((!user || name == *user) && found.limits != catalog::Limits())
      list.push_back(JsonObject{{"user", text_json(name)}, {"value", limits_json(found.limits)}});
  call.answer_list(std::move(list));
}
void all_user_limits(const HttpCall& call) { answer_user_limits(call, nullptr); }
void user_limits(const HttpCall& call) {
  if (!call.catalog().find_user(call.path[0])) return call.not_found();
  answer_user_limits(call, &call.path[0]);
}

void put_user_limit(const HttpCall& call) {
  auto body = call.object_body({"value"});
  if (!body) return;
  const catalog::User* user = call.catalog().find_user(call.path[0]);
  if (!user)
    return call.answer_error(400, "bad_request",
                             JsonArray{"no_such_user", text_json(call.path[0])});
  catalog::Limits limits = user->limits;
  const std::string text = print_json(JsonObject{{call.path[1], body->at("value")}});
  if (auto read = read_limits(text, user_limit_names, "user-limits", limits); !read)
    return call.bad_request(read.error().text);
  call.propose(catalog::SetUserLimits{call.path[0], limits}, 204);
}

void delete_user_limit(const HttpCall& call) {
  const catalog::User* user = call.catalog().find_user(call.path[0]);
  if (!user) return call.not_found();
  catalog::Limits limits = user->limits;
  auto* limit = find_limit(limits, call.path[1]);
  if (!limit) return call.answer_status(204);
  limit->reset();
  call.propose(catalog::SetUserLimits{call.path[0], limits}, 204);
}

// Parameters: parameters/COMPONENT/VHOST/NAME.

JsonObject parameter_json(const catalog::Vhost& vhost) {
  return {{"value", limits_value(*vhost.limits)},
          {"vhost", text_json(vhost.name)},
          {"component", text_json(limits_component)},
          {"name", text_json(limits_name)}};
}

void list_parameters(const HttpCall& call) {
  JsonArray list;
  const bool is_known = call.path.empty() || call.path[0] == limits_component;
  const std::string* vhost = call.path.size() > 1 ? &call.path[1] : nullptr;
  if (vhost && !call.catalog().find_vhost(*vhost)) return call.not_found();
  for (const auto& [name, found] : call.catalog().vhosts())
    if (is_known && found.limits && (!vhost || name == *vhost) && call.sees_vhost(name))
      list.push_back(parameter_json(found));
  call.answer_list(std::move(list));
}

/// The vhost whose limits the path names, if the user sees it; answers 404 else.
const catalog::Vhost* vhost_of_parameter(const HttpCall& call) {
  const catalog::Vhost* vhost = call.catalog().find_vhost(call.path[1]);
  if (vhost && call.sees_vhost(vhost->name)) return vhost;
  call.not_found();
  return nullptr;
}
bool is_limits(const HttpCall& call) {
  return call.path[0] == limits_component && call.path[2] == limits_name;
}

void show_parameter(const HttpCall& call) {
  const catalog::Vhost* vhost = vhost_of_parameter(call);
  if (!vhost) return;
  if (!is_limits(call) || !vhost->limits) return call.not_found();
  call.answer_json(parameter_json(*vhost));
}

void put_parameter(const HttpCall& call) {
  auto body = call.object_body({"value"});
  if (!body) return;
  const catalog::Vhost* vhost = vhost_of_parameter(call);
  if (!vhost) return;
  if (call.path[0] != limits_component)
    return call.bad_request(not_valid(fmt::format("component {} not found", call.path[0])));
  if (call.path[2] != limits_name)
    return call.bad_request(not_valid(fmt::format("the name has to be '{}'", limits_name)));
  catalog::Limits limits;
  const std::string text = print_json(body->at("value"));
  if (auto read = read_limits(text, vhost_limit_names, "limits", limits); !read)
    return call.bad_request(escape_html(not_valid(read.error().text)));
  call.propose(catalog::SetVhostLimits{vhost->name, limits}, vhost->limits ? 204 : 201);
}

void delete_parameter(const HttpCall& call) {
  const catalog::Vhost* vhost = vhost_of_parameter(call);
  if (!vhost) return;
  if (!is_limits(call) || !vhost->limits) return call.not_found();
  call.propose(catalog::SetVhostLimits{vhost->name, std::nullopt}, 204);
}

// Global parameters.

JsonObject global_json(std::string_view name, std::string_view value) {
  Json shown = text_json(value);
  if (auto parsed = parse_json(value); parsed && name != cluster_name) shown = *parsed;
  return {{"name", text_json(name)}, {"value", std::move(shown)}};
}

void list_global_parameters(const HttpCall& call) {
  JsonArray list;
  for (const auto& [name, value] : call.catalog().global_parameters())
    list.push_back(global_json(name, value));
  call.answer_list(std::move(list));
}

void show_global_parameter(const HttpCall& call) {
  const auto& all = call.catalog().global_parameters();
  const auto found = all.find(call.path[0]);
  if (found == all.end()) return call.not_found();
  call.answer_json(global_json(found->first, found->second));
}

void put_global_parameter(const HttpCall& call) {
  auto body = call.object_body({"value"});
  if (!body) return;
  const Json& value = body->at("value");
  const bool is_name = call.path[0] == cluster_name;
  if (is_name && !value.is_string())
    return call.bad_request(not_valid(
        fmt::format("cluster_name should be binary, actually was {}", print_json(value))));
  const bool is_new = !call.catalog().global_parameters().contains(call.path[0]);
  std::string kept = is_name ? std::string(text_of(value.get_string())) : print_json(value);
  call.propose(catalog::SetGlobalParameter{call.path[0], std::move(kept)}, is_new ? 201 : 204);
}

void delete_global_parameter(const HttpCall& call) {
  if (!call.catalog().global_parameters().contains(call.path[0])) return call.not_found();
  call.propose(catalog::SetGlobalParameter{call.path[0], {}}, 204);
}

constexpr HttpPower management = HttpPower::management;
constexpr HttpPower policymaker = HttpPower::policymaker;
constexpr HttpPower administrator = HttpPower::administrator;
constexpr HttpRoute entries[] = {
    {"GET", "vhost-limits", management, all_vhost_limits},
    {"GET", "vhost-limits/*", management, vhost_limits, true},
    {"PUT", "vhost-limits/*/*", administrator, put_vhost_limit, true},
    {"DELETE", "vhost-limits/*/*", administrator, delete_vhost_limit, true},
    {"GET", "user-limits", management, all_user_limits},
    {"GET", "user-limits/*", management, user_limits},
    {"PUT", "user-limits/*/*", administrator, put_user_limit},
    {"DELETE", "user-limits/*/*", administrator, delete_user_limit},
    {"GET", "parameters", policymaker, list_parameters},
    {"GET", "parameters/*", policymaker, list_parameters},
    {"GET", "parameters/*/*", policymaker, list_parameters},
    {"GET", "parameters/*/*/*", policymaker, show_parameter},
    {"PUT", "parameters/*/*/*", policymaker, put_parameter},
    {"DELETE", "parameters/*/*/*", policymaker, delete_parameter},
    {"GET", "global-parameters", policymaker, list_global_parameters},
    {"GET", "global-parameters/*", policymaker, show_global_parameter},
    {"PUT", "global-parameters/*", policymaker, put_global_parameter},
    {"DELETE", "global-parameters/*", policymaker, delete_global_parameter},
};

}  // namespace

std::span<const HttpRoute> limit_routes() { return entries; }

}  // namespace warren::management
