// /api/policies and /api/operator-policies.
#include <fmt/format.h>

#include "catalog/policy_definition.h"
#include "management/http_call.h"
#include "management/limits.h"

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

using catalog::PolicyKind;

const std::map<catalog::ResourceName, catalog::Policy>& policies_of(const HttpCall& call,
                                                                    PolicyKind kind) {
  const catalog::Catalog& catalog = call.catalog();
  return kind == PolicyKind::operators ? catalog.operator_policies() : catalog.policies();
}

template <PolicyKind kind>
void list_of(const HttpCall& call, const std::string* vhost) {
  JsonArray list;
  for (const auto& [name, policy] : policies_of(call, kind))
    if ((!vhost || name.vhost == *vhost) && call.sees_vhost(name.vhost))
      list.push_back(policy_json(policy));
  call.answer_list(std::move(list));
}

template <PolicyKind kind>
void list_all(const HttpCall& call) { list_of<kind>(call, nullptr); }
template <PolicyKind kind>
void list_vhost(const HttpCall& call) { list_of<kind>(call, &call.path[0]); }

template <PolicyKind kind>
void show(const HttpCall& call) {
  const auto& policies = policies_of(call, kind);
  auto policy = policies.find({call.path[0], call.path[1]});
  if (policy == policies.end()) return call.not_found();
  call.answer_json(policy_json(policy->second));
}

/// Clients know the complaints about operators' policies without HTML.
template <PolicyKind kind>
void complain(const HttpCall& call, std::string_view text) {
  call.bad_request(kind == PolicyKind::operators ? std::string(text) : escape_html(text));
}

/// Empty: the pattern is a text, and the priority a number.
std::string fault_of_types(const JsonObject& body) {
  if (const Json& pattern = body.at("pattern"); !pattern.is_string())
    return fmt::format("Validation failed\n\npattern should be a binary but was {}\n",
                       erlang_text(pattern));
  if (const Json* priority = body.if_contains("priority"); priority && !priority->is_number())
    return fmt::format("Validation failed\n\npriority should be a number, actually was {}\n",
                       erlang_text(*priority));
  return {};
}

template <PolicyKind kind>
void put(const HttpCall& call) {
  auto body = call.object_body({"pattern", "definition"});
  if (!body) return;
  const std::string fault = fault_of_types(*body);
  if (!fault.empty()) return complain<kind>(call, fault);
  auto definition = catalog::parse_policy_definition(print_json(body->at("definition")), kind);
  if (!definition) return complain<kind>(call, definition.error().text);
  catalog::Policy policy;
  policy.name = {call.path[0], call.path[1]};
  policy.pattern = member_text(*body, "pattern");
  policy.definition = definition->text;
  policy.priority = static_cast<std::int32_t>(member_integer(*body, "priority").value_or(0));
  if (auto pattern = catalog::check_policy_pattern(policy.pattern); !pattern)
    return complain<kind>(call, pattern.error().text);
  auto applies_to = catalog::parse_applies_to(member_text(*body, "apply-to", "all"));
  if (!applies_to) return complain<kind>(call, applies_to.error().text);
  policy.applies_to = *applies_to;
  const unsigned status = policies_of(call, kind).contains(policy.name) ? 204 : 201;
  if (kind == PolicyKind::operators)
    call.propose(catalog::SetOperatorPolicy{std::move(policy)}, status);
  else
    call.propose(catalog::SetPolicy{std::move(policy)}, status);
}

template <PolicyKind kind>
void remove(const HttpCall& call) {
  const catalog::ResourceName name{call.path[0], call.path[1]};
  if (!policies_of(call, kind).contains(name)) return call.not_found();
  if (kind == PolicyKind::operators)
    call.propose(catalog::ClearOperatorPolicy{name}, 204);
  else
    call.propose(catalog::ClearPolicy{name}, 204);
}

constexpr HttpRoute entries[] = {
    {"GET", "policies", HttpPower::management, list_all<PolicyKind::users>},
    {"GET", "policies/*", HttpPower::management, list_vhost<PolicyKind::users>, true},
    {"GET", "policies/*/*", HttpPower::management, show<PolicyKind::users>, true},
    {"PUT", "policies/*/*", HttpPower::policymaker, put<PolicyKind::users>, true},
    {"DELETE", "policies/*/*", HttpPower::policymaker, remove<PolicyKind::users>, true},
    {"GET", "operator-policies", HttpPower::management, list_all<PolicyKind::operators>},
    {"GET", "operator-policies/*", HttpPower::management, list_vhost<PolicyKind::operators>, true},
    {"GET", "operator-policies/*/*", HttpPower::management, show<PolicyKind::operators>, true},
    {"PUT", "operator-policies/*/*", HttpPower::administrator, put<PolicyKind::operators>, true},
    {"DELETE", "operator-policies/*/*", HttpPower::administrator, remove<PolicyKind::operators>,
     true},
};

}  // namespace

std::span<const HttpRoute> policy_routes() { return entries; }

}  // namespace warren::management
