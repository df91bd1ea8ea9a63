#include <fmt/format.h>

#include <iterator>

#include "catalog/applier.h"

namespace warren::catalog {
namespace {

struct Predeclared {
  const char* name;
  const char* type;
  bool internal;
};

constexpr Predeclared predeclared_exchanges[] = {
    {"", "direct", false},          {"amq.direct", "direct", false},
    {"amq.fanout", "fanout", false}, {"amq.headers", "headers", false},
    {"amq.match", "headers", false}, {"amq.rabbitmq.trace", "topic", true},
    {"amq.topic", "topic", false}};

/// The keys of a map by ResourceName that lie in a vhost.
template <typename Records>
std::vector<ResourceName> names_in(const Records& records, const std::string& vhost) {
  std::vector<ResourceName> names;
  for (auto entry = records.lower_bound(ResourceName{vhost, ""});
       entry != records.end() && entry->first.vhost == vhost; ++entry)
    names.push_back(entry->first);
  return names;
}

}  // namespace

Applier::Result Applier::operator()(const PutVhost& command) {
  const Vhost& vhost = command.vhost;
  auto [entry, is_new] = catalog_.vhosts_.try_emplace(vhost.name, vhost);
  if (!is_new) {
    entry->second.description = vhost.description;
    entry->second.tags = vhost.tags;
    return Applied{};
  }
  for (const Predeclared& predeclared : predeclared_exchanges) {
    Exchange exchange;
    exchange.name = {vhost.name, predeclared.name};
    exchange.type = predeclared.type;
    exchange.durable = true;
    exchange.internal = predeclared.internal;
    catalog_.exchanges_.emplace(exchange.name, exchange);
  }
  ++catalog_.routing_version_;
  return Applied{};
}

Applier::Result Applier::operator()(const SetVhostLimits& command) {
  auto vhost = catalog_.vhosts_.find(command.vhost);
  if (vhost == catalog_.vhosts_.end())
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("Virtual host '{}' does not exist", command.vhost));
  if (!command.limits && !vhost->second.limits)
    return base::fail(base::ErrorCode::not_found, "Parameter does not exist");
  vhost->second.limits = command.limits;
  changes_.emplace_back(VhostChanged{command.vhost});
  return Applied{};
}

Applier::Result Applier::operator()(const DeleteVhost& command) {
  // The command's name may be the vhost's own, which goes away.
  std::string vhost = command.name;
  if (!catalog_.vhosts_.contains(vhost))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("Virtual host '{}' does not exist", vhost));
  for (const ResourceName& name : names_in(catalog_.exchanges_, vhost))
    catalog_.bindings_.remove_from(name);
  std::vector<QueueId> queues;
  for (const ResourceName& name : names_in(catalog_.queue_names_, vhost))
    queues.push_back(catalog_.queue_names_.at(name));
  // Exchanges first: one that delays would get another queue.
  for (const ResourceName& name : names_in(catalog_.exchanges_, vhost))
    catalog_.exchanges_.erase(name);
  remove_queues(queues);
  for (Catalog::Policies* policies : {&catalog_.policies_, &catalog_.operator_policies_}) {
    for (const ResourceName& name : names_in(policies->records, vhost)) {
      policies->records.erase(name);
      policies->compiled.erase(name);
      changes_.emplace_back(PolicyChanged{name});
    }
  }
  for (const ResourceName& name : names_in(catalog_.permissions_, vhost)) {
    catalog_.permissions_.erase(name);
    changes_.emplace_back(UserChanged{name.name});
    ++catalog_.permission_version_;
  }
  std::erase_if(catalog_.topic_permissions_,
                [&](const auto& entry) { return entry.first.vhost == vhost; });
  catalog_.vhosts_.erase(vhost);
  ++catalog_.routing_version_;
  catalog_.route_listeners_.tell(&RouteListener::on_all_routes);
  changes_.emplace_back(VhostRemoved{std::move(vhost)});
  return Applied{};
}

}  // namespace warren::catalog
