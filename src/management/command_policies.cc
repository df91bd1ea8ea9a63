// Policies.
#include <fmt/format.h>

#include <algorithm>

#include "catalog/policy_definition.h"
#include "management/command_call.h"

namespace warren::management {
namespace {

JsonObject no_such_vhost(std::string_view name) {
  return error_reply(65, "plain", fmt::format("Virtual host '{}' does not exist", name));
}

using catalog::PolicyKind;

/// A SetPolicy or a SetOperatorPolicy, and so on.
catalog::Command set_command(PolicyKind kind, catalog::Policy policy) {
  if (kind == PolicyKind::operators) return catalog::SetOperatorPolicy{std::move(policy)};
  return catalog::SetPolicy{std::move(policy)};
}

catalog::Command clear_command(PolicyKind kind, const catalog::ResourceName& name) {
  if (kind == PolicyKind::operators) return catalog::ClearOperatorPolicy{name};
  return catalog::ClearPolicy{name};
}

const std::map<catalog::ResourceName, catalog::Policy>& policies_of(const catalog::Catalog& catalog,
                                                                    PolicyKind kind) {
  return kind == PolicyKind::operators ? catalog.operator_policies() : catalog.policies();
}

template <PolicyKind kind>
void set_policy(const CommandCall& call) {
  if (!call.catalog().find_vhost(call.vhost)) return call.reply(no_such_vhost(call.vhost));
  auto definition = catalog::parse_policy_definition(call.arguments[2], kind);
  if (!definition) return call.reply(failed_reply(definition.error()));
  if (auto pattern = catalog::check_policy_pattern(call.arguments[1]); !pattern)
    return call.reply(failed_reply(pattern.error()));
  auto applies_to = catalog::parse_applies_to(member_text(call.options, "apply_to", "all"));
  if (!applies_to) return call.reply(failed_reply(applies_to.error()));
  catalog::Policy policy;
  policy.name = {call.vhost, call.arguments[0]};
  policy.pattern = call.arguments[1];
  policy.definition = definition->text;
  policy.priority = static_cast<std::int32_t>(member_integer(call.options, "priority").value_or(0));
  policy.applies_to = *applies_to;
  call.propose(set_command(kind, std::move(policy)));
}

template <PolicyKind kind>
void clear_policy(const CommandCall& call) {
  if (kind == PolicyKind::users && !call.catalog().find_vhost(call.vhost))
    return call.reply(no_such_vhost(call.vhost));
  auto missing = [](const base::Error& error) {
    if (error.code != base::ErrorCode::not_found) return failed_reply(error);
    return error_reply(69, "failed", "Parameter does not exist");
  };
  const catalog::ResourceName name{call.vhost, call.arguments[0]};
  if (!policies_of(call.catalog(), kind).contains(name))
    return call.reply(missing({base::ErrorCode::not_found, {}}));
  call.propose(clear_command(kind, name), missing);
}

template <PolicyKind kind>
void list_policies(const CommandCall& call) {
  if (!call.catalog().find_vhost(call.vhost)) return call.reply(no_such_vhost(call.vhost));
  std::vector<const catalog::Policy*> policies;
  for (const auto& [name, policy] : policies_of(call.catalog(), kind))
    if (name.vhost == call.vhost) policies.push_back(&policy);
  std::ranges::stable_sort(policies, {}, &catalog::Policy::priority);
  JsonArray rows;
  for (const catalog::Policy* policy : policies)
    rows.push_back(JsonArray{text_json(policy->name.vhost), text_json(policy->name.name),
                             text_json(policy->pattern),
                             text_json(catalog::applies_to_name(policy->applies_to)),
                             text_json(policy->definition), policy->priority});
  call.reply(rows_reply({"vhost", "name", "pattern", "apply-to", "definition", "priority"},
                        std::move(rows)));
}

constexpr CommandEntry entries[] = {
    {"set_policy", AppNeed::running, 3, set_policy<PolicyKind::users>},
    {"clear_policy", AppNeed::running, 1, clear_policy<PolicyKind::users>},
    {"list_policies", AppNeed::running, 0, list_policies<PolicyKind::users>},
    {"set_operator_policy", AppNeed::running, 3, set_policy<PolicyKind::operators>},
    {"clear_operator_policy", AppNeed::running, 1, clear_policy<PolicyKind::operators>},
    {"list_operator_policies", AppNeed::running, 0, list_policies<PolicyKind::operators>},
};

}  // namespace

std::span<const CommandEntry> policy_commands() { return entries; }

}  // namespace warren::management
