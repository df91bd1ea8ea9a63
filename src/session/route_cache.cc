#include "session/route_cache.h"

#include <functional>

namespace warren::session::amqp091 {

namespace {
/// Answers with more queues are left to the router, so that a channel's cache stays small.
constexpr std::size_t most_queues = 64;
}  // namespace

const RouteCache::Queues* RouteCache::find(const catalog::Catalog& catalog,
                                           base::ByteView exchange, base::ByteView routing_key) {
  if (routing_version_ != catalog.routing_version() ||
      permission_version_ != catalog.permission_version()) {
    routing_version_ = catalog.routing_version();
    permission_version_ = catalog.permission_version();
    routes_.reset();
    last_ = nullptr;
  }
  if (!routes_) return nullptr;
  if (!last_->is_for(exchange, routing_key)) {
    Route& route = place_of(exchange, routing_key);
    if (!route.is_for(exchange, routing_key)) return nullptr;
    last_ = &route;
  }
  return &last_->queues;
}

void RouteCache::add(base::ByteView exchange, base::ByteView routing_key, const Queues& queues) {
  if (queues.size() > most_queues) return;
  if (!routes_) routes_ = std::make_unique<Routes>();
  Route& route = place_of(exchange, routing_key);
  route.is_set = true;
  route.exchange = exchange;
  route.routing_key = routing_key;
  route.queues = queues;
  last_ = &route;
}

/// Exchanges are few, so the key alone spreads well enough.
RouteCache::Route& RouteCache::place_of(base::ByteView exchange, base::ByteView routing_key) {
  const std::size_t hash = std::hash<base::ByteView>()(routing_key) + exchange.size();
  return (*routes_)[hash % size];
}

}  // namespace warren::session::amqp091
