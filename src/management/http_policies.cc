// /api/policies.
#include "catalog/policy_definition.h"
#include "management/http_call.h"

namespace warren::management {
namespace {

JsonObject policy_json(const catalog::Policy& policy) {
  auto definition = parse_json(policy.definition);
  return {{"vhost", text_json(policy.name.vhost)},
          {"name", text_json(policy.name.name)},
          {"pattern", text_json(policy.pattern)},
          {"apply-to", text_json(catalog::applies_to_name(policy.applies_to))},
          {"definition", definition ? *definition : Json(JsonObject{})},
          {"priority", policy.priority}};
}

void list_of(const HttpCall& call, const std::string* vhost) {
  JsonArray list;
  for (const auto& [name, policy] : call.catalog().policies())
    if ((!vhost || name.vhost == *vhost) && call.sees_vhost(name.vhost))
      list.push_back(policy_json(policy));
  call.answer_list(std::move(list));
}

void list_all(const HttpCall& call) { list_of(call, nullptr); }
void list_vhost(const HttpCall& call) { list_of(call, &call.path[0]); }

void show(const HttpCall& call) {
  const catalog::Policy* policy = call.catalog().find_policy({call.path[0], call.path[1]});
  if (!policy) return call.not_found();
  call.answer_json(policy_json(*policy));
}

/// Clients know these texts with < and > written for HTML.
std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

void put(const HttpCall& call) {
  constexpr std::string_view needed[] = {"pattern", "definition"};
  auto body = call.object_body();
  if (!body || !call.has_members(*body, needed)) return;
  auto definition = catalog::parse_policy_definition(print_json(body->at("definition")));
  if (!definition) return call.bad_request(escape_html(definition.error().text));
  catalog::Policy policy;
  policy.name = {call.path[0], call.path[1]};
  policy.pattern = member_text(*body, "pattern");
  policy.definition = definition->text;
  policy.priority = static_cast<std::int32_t>(member_integer(*body, "priority").value_or(0));
  if (auto pattern = catalog::check_policy_pattern(policy.pattern); !pattern)
    return call.bad_request(escape_html(pattern.error().text));
  auto applies_to = catalog::parse_applies_to(member_text(*body, "apply-to", "all"));
  if (!applies_to) return call.bad_request(escape_html(applies_to.error().text));
  policy.applies_to = *applies_to;
  const bool is_new = !call.catalog().find_policy(policy.name);
  call.propose(catalog::SetPolicy{std::move(policy)}, is_new ? 201 : 204);
}

void remove(const HttpCall& call) {
  const catalog::ResourceName name{call.path[0], call.path[1]};
  if (!call.catalog().find_policy(name)) return call.not_found();
  call.propose(catalog::ClearPolicy{name}, 204);
}

constexpr HttpRoute entries[] = {
    {"GET", "policies", HttpPower::management, list_all},
    {"GET", "policies/*", HttpPower::management, list_vhost, true},
    {"GET", "policies/*/*", HttpPower::management, show, true},
    {"PUT", "policies/*/*", HttpPower::policymaker, put, true},
    {"DELETE", "policies/*/*", HttpPower::policymaker, remove, true},
};

}  // namespace

std::span<const HttpRoute> policy_routes() { return entries; }

}  // namespace warren::management
