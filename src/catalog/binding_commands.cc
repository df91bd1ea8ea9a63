#include <algorithm>

#include "catalog/applier.h"
#include "catalog/delaying.h"
#include "catalog/equivalence.h"

namespace warren::catalog {
namespace {

ResourceName destination_of(const Binding& binding) {
  return {binding.source.vhost, binding.destination};
}

// Tables with the same fields in another order make the same binding.
Binding normalized(const Binding& binding) {
  std::vector<base::FieldTable::Entry> entries(binding.arguments.begin(),
                                               binding.arguments.end());
  std::ranges::stable_sort(entries, {}, &base::FieldTable::Entry::first);
  Binding result = binding;
  result.arguments = {};
  for (auto& [name, value] : entries) result.arguments.add(std::move(name), std::move(value));
  return result;
}

}  // namespace

Applier::Result Applier::operator()(const AddBinding& command) {
  Binding binding = normalized(command.binding);
  TRY(check_binding_ends(binding));
  if (!catalog_.bindings_.add(binding)) return Applied{};
  ++catalog_.routing_version_;
  tell(&RouteListener::on_bound, binding);
  return Applied{};
}

Applier::Result Applier::operator()(const RemoveBinding& command) {
  Binding binding = normalized(command.binding);
  if (!catalog_.bindings_.remove(binding)) return Applied{};
  ++catalog_.routing_version_;
  tell(&RouteListener::on_unbound, binding);
  remove_unused({binding.source});
  return Applied{};
}

base::Result<> Applier::check_binding_ends(const Binding& binding) const {
  ResourceName destination = destination_of(binding);
  bool is_to_queue = binding.destination_kind == DestinationKind::queue;
  if (binding.source.name.empty() || (!is_to_queue && destination.name.empty()))
    return base::fail(base::ErrorCode::access_refused,
                      "operation not permitted on the default exchange");
  if (catalog_.find_exchange(binding.source) == nullptr)
    return base::fail(base::ErrorCode::not_found, "no " + exchange_text(binding.source));
  if (is_to_queue && catalog_.find_queue(destination) == nullptr)
    return base::fail(base::ErrorCode::not_found, "no " + queue_text(destination));
  if (is_to_queue) TRY(check_no_delay_queue(destination));
  if (!is_to_queue && catalog_.find_exchange(destination) == nullptr)
    return base::fail(base::ErrorCode::not_found, "no " + exchange_text(destination));
  return {};
}

std::vector<ResourceName> Applier::erase_bindings_to(
    DestinationKind kind, const std::vector<ResourceName>& destinations) {
  std::set<ResourceName> sources;
  for (const ResourceName& destination : destinations) {
    for (const Binding& binding : catalog_.bindings_.take_to(kind, destination)) {
      ++catalog_.routing_version_;
      tell(&RouteListener::on_unbound, binding);
      sources.insert(binding.source);
    }
  }
  return {sources.begin(), sources.end()};
}

}  // namespace warren::catalog
