#include <fmt/format.h>

#include "catalog/applier.h"
#include "catalog/compiled_policy.h"

namespace warren::catalog {
namespace {

bool applies_to_kind(const Policy& policy, AppliesTo kind) {
  return policy.applies_to == AppliesTo::all || policy.applies_to == kind;
}

}  // namespace

base::Result<CompiledPolicy> compile_policy(const Policy& policy) {
  TRY(check_policy_pattern(policy.pattern));
  auto pattern = Pattern::compile(policy.pattern);
  if (!pattern)
    return base::fail(base::ErrorCode::internal, "a pattern was good and then bad");
  TRY_ASSIGN(PolicyDefinition definition, parse_policy_definition(policy.definition));
  return CompiledPolicy{std::move(*pattern), std::move(definition)};
}

Applier::Result Applier::operator()(const SetPolicy& command) {
  Policy policy = command.policy;
  const ResourceName name = policy.name;
  if (!catalog_.vhosts_.contains(name.vhost))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("Virtual host '{}' does not exist", name.vhost));
  TRY_ASSIGN(CompiledPolicy compiled, compile_policy(policy));
  policy.definition = compiled.definition.text;
  if (const Policy* current = catalog_.find_policy(name); current && *current == policy)
    return Applied{};
  catalog_.policies_.insert_or_assign(name, std::move(policy));
  catalog_.compiled_policies_.insert_or_assign(
      name, std::make_shared<CompiledPolicy>(std::move(compiled)));
  changes_.emplace_back(PolicyChanged{name});
  reassign_policies(name);
  return Applied{};
}

Applier::Result Applier::operator()(const ClearPolicy& command) {
  if (catalog_.policies_.erase(command.name) == 0)
    return base::fail(base::ErrorCode::not_found, "Parameter does not exist");
  catalog_.compiled_policies_.erase(command.name);
  changes_.emplace_back(PolicyChanged{command.name});
  reassign_policies(command.name);
  return Applied{};
}

Applier::Result Applier::operator()(const SetGlobalParameter& command) {
  if (command.value.empty())
    catalog_.global_parameters_.erase(command.name);
  else
    catalog_.global_parameters_.insert_or_assign(command.name, command.value);
  return Applied{};
}

std::string Applier::matching_policy(const ResourceName& name, AppliesTo kind) const {
  const Policy* best = nullptr;
  // In order of names: among equal priorities the first stays.
  for (auto entry = catalog_.policies_.lower_bound({name.vhost, ""});
       entry != catalog_.policies_.end() && entry->first.vhost == name.vhost; ++entry) {
    const Policy& policy = entry->second;
    if (best != nullptr && policy.priority <= best->priority) continue;
    if (!applies_to_kind(policy, kind)) continue;
    if (catalog_.compiled_policies_.at(entry->first)->pattern.matches(name.name)) best = &policy;
  }
  return best == nullptr ? std::string() : best->name.name;
}

void Applier::reassign_policies(const ResourceName& changed_policy) {
  const std::string& vhost = changed_policy.vhost;
  for (auto entry = catalog_.exchanges_.lower_bound({vhost, ""});
       entry != catalog_.exchanges_.end() && entry->first.vhost == vhost; ++entry)
    reassign_policy(entry->second, changed_policy);
  // A policy may name an alternate exchange, so routes may have changed.
  ++catalog_.routing_version_;
  for (auto entry = catalog_.queue_names_.lower_bound({vhost, ""});
       entry != catalog_.queue_names_.end() && entry->first.vhost == vhost; ++entry) {
    Queue& queue = catalog_.queues_.at(entry->second);
    std::string policy = matching_policy(queue.name, AppliesTo::queues);
    bool is_changed = policy != queue.policy || policy == changed_policy.name;
    queue.policy = std::move(policy);
    if (refresh_replicas(queue) || is_changed) announce(queue);
  }
}

void Applier::reassign_policy(Exchange& exchange, const ResourceName& changed_policy) {
  std::string policy = matching_policy(exchange.name, AppliesTo::exchanges);
  bool is_changed = policy != exchange.policy || policy == changed_policy.name;
  exchange.policy = std::move(policy);
  if (is_changed) tell(&RouteListener::on_exchange_policy, exchange.name);
}

const PolicyDefinition* Applier::definition_of(const Queue& queue) const {
  if (queue.policy.empty()) return nullptr;
  return catalog_.find_policy_definition({queue.name.vhost, queue.policy});
}

}  // namespace warren::catalog
