#include <fmt/format.h>

#include "catalog/applier.h"
#include "catalog/delaying.h"
#include "catalog/equivalence.h"

namespace warren::catalog {

Applier::Result Applier::operator()(const DeclareExchange& command) {
  const ResourceName& name = command.exchange.name;
  if (const Exchange* current = catalog_.find_exchange(name)) {
    TRY(check_equivalent(command.exchange, *current));
    return Applied{};
  }
  if (!catalog_.vhosts_.contains(name.vhost))
    return base::fail(base::ErrorCode::not_found, fmt::format("vhost {} not found", name.vhost));
  Exchange exchange = command.exchange;
  exchange.policy = matching_policy(name, AppliesTo::exchanges);
  const auto place = catalog_.exchanges_.emplace(name, std::move(exchange)).first;
  ++catalog_.routing_version_;
  tell(&RouteListener::on_exchange, name);
  make_delay_queue(place->second);
  return Applied{};
}

void Applier::make_delay_queue(const Exchange& exchange) {
  if (exchange.type != delaying_type) return;
  Queue queue;
  queue.name = delay_queue_of(exchange.name);
  if (catalog_.find_queue(queue.name) != nullptr) return;
  std::vector<NodeName> running;
  for (const auto& [name, node] : catalog_.nodes_)
    if (node.running) running.push_back(name);
  if (running.empty()) return;
  queue.durable = exchange.durable;
  // Nobody asked for it on a node of theirs; they take turns.
  queue.leader = running[catalog_.last_queue_id_.value % running.size()];
  place_queue(std::move(queue));
}

void Applier::make_missing_delay_queues() {
  for (const auto& [name, exchange] : catalog_.exchanges_) make_delay_queue(exchange);
}

Applier::Result Applier::operator()(const DeleteExchange& command) {
  const ResourceName& name = command.name;
  if (!catalog_.exchanges_.contains(name)) return Applied{};
  if (name.name.empty())
    return base::fail(base::ErrorCode::access_refused,
                      "operation not permitted on the default exchange");
  if (name.name.starts_with("amq."))
    return base::fail(
        base::ErrorCode::access_refused,
        fmt::format("deletion of system {} not allowed", exchange_text(name)));
  if (command.if_unused && !catalog_.bindings_from(name).empty())
    return base::fail(base::ErrorCode::precondition_failed, exchange_text(name) + " in use");
  remove_exchange(name);
  return Applied{};
}

// A list of what is left to do instead of recursion: a chain of auto-delete exchanges may be long.
void Applier::remove_exchange(const ResourceName& name) {
  std::vector<ResourceName> doomed{name};
  while (!doomed.empty()) {
    ResourceName next = std::move(doomed.back());
    doomed.pop_back();
    const auto removed = catalog_.exchanges_.extract(next);
    if (removed.empty()) continue;
    ++catalog_.routing_version_;
    catalog_.bindings_.remove_from(next);
    tell(&RouteListener::on_exchange, next);
    if (removed.mapped().type == delaying_type)
      if (const Queue* queue = catalog_.find_queue(delay_queue_of(next)))
        remove_queues({queue->id});
    for (ResourceName& source : erase_bindings_to(DestinationKind::exchange, {next}))
      if (is_unused(source)) doomed.push_back(std::move(source));
  }
}

void Applier::remove_transient_exchanges() {
  std::vector<ResourceName> doomed;
  for (const auto& [name, exchange] : catalog_.exchanges_)
    if (!exchange.durable) doomed.push_back(name);
  for (const ResourceName& name : doomed) remove_exchange(name);
}

void Applier::remove_unused(const std::vector<ResourceName>& exchanges) {
  for (const ResourceName& name : exchanges)
    if (is_unused(name)) remove_exchange(name);
}

base::Result<> check_no_delay_queue(const ResourceName& queue) {
  if (!is_delay_queue(queue.name)) return {};
  return base::fail(base::ErrorCode::access_refused,
                    queue_text(queue) + " holds the delayed messages of an exchange");
}

bool Applier::is_unused(const ResourceName& name) const {
  const Exchange* exchange = catalog_.find_exchange(name);
  return exchange != nullptr && exchange->auto_delete && catalog_.bindings_from(name).empty();
}

}  // namespace warren::catalog
