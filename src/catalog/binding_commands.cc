#include <algorithm>

#include "base/assert.h"
#include "catalog/applier.h"
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
  // Most exchanges have many destinations and few bindings to each: without one to this
  // destination there is no list to search.
  auto sources = catalog_.sources_.find({binding.destination_kind, destination_of(binding)});
  if (sources != catalog_.sources_.end() && sources->second.contains(binding.source)) {
    const std::vector<Binding>& bindings = catalog_.bindings_from(binding.source);
    if (std::ranges::find(bindings, binding) != bindings.end()) return Applied{};
  }
  insert_binding(std::move(binding));
  return Applied{};
}

Applier::Result Applier::operator()(const RemoveBinding& command) {
  Binding binding = normalized(command.binding);
  const std::vector<Binding>& bindings = catalog_.bindings_from(binding.source);
  if (std::ranges::find(bindings, binding) == bindings.end()) return Applied{};
  erase_binding(binding);
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
  if (!is_to_queue && catalog_.find_exchange(destination) == nullptr)
    return base::fail(base::ErrorCode::not_found, "no " + exchange_text(destination));
  return {};
}

void Applier::insert_binding(Binding binding) {
  ++catalog_.sources_[{binding.destination_kind, destination_of(binding)}][binding.source];
  ++catalog_.routing_version_;
  std::vector<Binding>& bindings = catalog_.bindings_[binding.source];
  bindings.push_back(std::move(binding));
}

void Applier::erase_binding(const Binding& binding) {
  auto from = catalog_.bindings_.find(binding.source);
  if (from == catalog_.bindings_.end()) return;
  auto place = std::ranges::find(from->second, binding);
  if (place == from->second.end()) return;
  forget_source(*place);
  from->second.erase(place);
  if (from->second.empty()) catalog_.bindings_.erase(from);
  ++catalog_.routing_version_;
}

void Applier::erase_bindings_from(const ResourceName& source) {
  auto from = catalog_.bindings_.find(source);
  if (from == catalog_.bindings_.end()) return;
  for (const Binding& binding : from->second) forget_source(binding);
  catalog_.bindings_.erase(from);
  ++catalog_.routing_version_;
}

// Each source is searched once, however many of its destinations go.
std::vector<ResourceName> Applier::erase_bindings_to(
    DestinationKind kind, const std::vector<ResourceName>& destinations) {
  std::map<ResourceName, std::set<std::string>> doomed;
  for (const ResourceName& destination : destinations) {
    auto to = catalog_.sources_.find({kind, destination});
    if (to == catalog_.sources_.end()) continue;
    for (const auto& [source, count] : to->second) doomed[source].insert(destination.name);
    catalog_.sources_.erase(to);
  }
  std::vector<ResourceName> sources;
  for (const auto& [source, names] : doomed) {
    auto from = catalog_.bindings_.find(source);
    ASSERT(from != catalog_.bindings_.end());
    std::erase_if(from->second, [&](const Binding& binding) {
      return binding.destination_kind == kind && names.contains(binding.destination);
    });
    if (from->second.empty()) catalog_.bindings_.erase(from);
    ++catalog_.routing_version_;
    sources.push_back(source);
  }
  return sources;
}

void Applier::forget_source(const Binding& binding) {
  auto to = catalog_.sources_.find({binding.destination_kind, destination_of(binding)});
  ASSERT(to != catalog_.sources_.end());
  auto count = to->second.find(binding.source);
  ASSERT(count != to->second.end());
  if (--count->second == 0) to->second.erase(count);
  if (to->second.empty()) catalog_.sources_.erase(to);
}

}  // namespace warren::catalog
