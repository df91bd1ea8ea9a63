#include <fmt/format.h>

#include "catalog/applier.h"
#include "catalog/compiled_policy.h"
#include "catalog/delaying.h"

namespace warren::catalog {
namespace {

bool applies_to_kind(const Policy& policy, AppliesTo kind) {
  return policy.applies_to == AppliesTo::all || policy.applies_to == kind;
}

}  // namespace

base::Result<CompiledPolicy> compile_policy(const Policy& policy, PolicyKind kind) {
  TRY(check_policy_pattern(policy.pattern));
  auto pattern = Pattern::compile(policy.pattern);
  if (!pattern)
    return base::fail(base::ErrorCode::internal, "a pattern was good and then bad");
  TRY_ASSIGN(PolicyDefinition definition, parse_policy_definition(policy.definition, kind));
  return CompiledPolicy{std::move(*pattern), std::move(definition)};
}

Applier::Result Applier::operator()(const SetPolicy& command) {
  return set_policy(catalog_.policies_, command.policy);
}

Applier::Result Applier::operator()(const ClearPolicy& command) {
  return clear_policy(catalog_.policies_, command.name);
}

Applier::Result Applier::operator()(const SetOperatorPolicy& command) {
  return set_policy(catalog_.operator_policies_, command.policy);
}

Applier::Result Applier::operator()(const ClearOperatorPolicy& command) {
  return clear_policy(catalog_.operator_policies_, command.name);
}

Applier::Result Applier::set_policy(Catalog::Policies& policies, Policy policy) {
  const ResourceName name = policy.name;
  if (!catalog_.vhosts_.contains(name.vhost))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("Virtual host '{}' does not exist", name.vhost));
  TRY_ASSIGN(CompiledPolicy compiled, compile_policy(policy, policies.kind));
  policy.definition = compiled.definition.text;
  auto current = policies.records.find(name);
  if (current != policies.records.end() && current->second == policy) return Applied{};
  policies.records.insert_or_assign(name, std::move(policy));
  policies.compiled.insert_or_assign(name, std::make_shared<CompiledPolicy>(std::move(compiled)));
  changes_.emplace_back(PolicyChanged{name});
  reassign_policies(policies.kind, name);
  return Applied{};
}

Applier::Result Applier::clear_policy(Catalog::Policies& policies, const ResourceName& name) {
  if (policies.records.erase(name) == 0)
    return base::fail(base::ErrorCode::not_found, "Parameter does not exist");
  policies.compiled.erase(name);
  changes_.emplace_back(PolicyChanged{name});
  reassign_policies(policies.kind, name);
  return Applied{};
}

Applier::Result Applier::operator()(const SetGlobalParameter& command) {
  if (command.value.empty())
    catalog_.global_parameters_.erase(command.name);
  else
    catalog_.global_parameters_.insert_or_assign(command.name, command.value);
  return Applied{};
}

std::string Applier::matching_policy(const Catalog::Policies& policies, const ResourceName& name,
                                     AppliesTo kind) const {
  if (kind == AppliesTo::queues && is_delay_queue(name.name)) return {};
  const Policy* best = nullptr;
  // In order of names: among equal priorities the first stays.
  for (auto entry = policies.records.lower_bound({name.vhost, ""});
       entry != policies.records.end() && entry->first.vhost == name.vhost; ++entry) {
    const Policy& policy = entry->second;
    if (best != nullptr && policy.priority <= best->priority) continue;
    if (!applies_to_kind(policy, kind)) continue;
    if (policies.compiled.at(entry->first)->pattern.matches(name.name)) best = &policy;
  }
  return best == nullptr ? std::string() : best->name.name;
}

std::string Applier::matching_policy(const ResourceName& name, AppliesTo kind) const {
  return matching_policy(catalog_.policies_, name, kind);
}

std::string Applier::matching_operator_policy(const ResourceName& queue) const {
  return matching_policy(catalog_.operator_policies_, queue, AppliesTo::queues);
}

void Applier::reassign_policies(PolicyKind kind, const ResourceName& changed_policy) {
  const std::string& vhost = changed_policy.vhost;
  if (kind == PolicyKind::operators) {
    for_each_queue_in(vhost, [&](Queue& queue) {
      std::string policy = matching_operator_policy(queue.name);
      bool is_changed = policy != queue.operator_policy || policy == changed_policy.name;
      queue.operator_policy = std::move(policy);
      if (is_changed) announce(queue);
    });
    return;
  }
  for (auto entry = catalog_.exchanges_.lower_bound({vhost, ""});
       entry != catalog_.exchanges_.end() && entry->first.vhost == vhost; ++entry)
    reassign_policy(entry->second, changed_policy);
  // A policy may name an alternate exchange, so routes may have changed.
  ++catalog_.routing_version_;
  for_each_queue_in(vhost, [&](Queue& queue) {
    std::string policy = matching_policy(queue.name, AppliesTo::queues);
    bool is_changed = policy != queue.policy || policy == changed_policy.name;
    queue.policy = std::move(policy);
    if (refresh_replicas(queue) || is_changed) announce(queue);
  });
}

template <typename Visit>
void Applier::for_each_queue_in(const std::string& vhost, Visit visit) {
  for (auto entry = catalog_.queue_names_.lower_bound({vhost, ""});
       entry != catalog_.queue_names_.end() && entry->first.vhost == vhost; ++entry)
    visit(catalog_.queues_.at(entry->second));
}

void Applier::reassign_policy(Exchange& exchange, const ResourceName& changed_policy) {
  std::string policy = matching_policy(exchange.name, AppliesTo::exchanges);
  bool is_changed = policy != exchange.policy || policy == changed_policy.name;
  exchange.policy = std::move(policy);
  if (is_changed) tell(&RouteListener::on_exchange_policy, exchange.name);
}

}  // namespace warren::catalog
