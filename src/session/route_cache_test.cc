#include "session/route_cache.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "session/fake_gateway.h"

using namespace warren;
using session::amqp091::RouteCache;

TEST_CASE("a route is known until routing or permissions change") {
  session::FakeGateway gateway;
  const catalog::Catalog& catalog = gateway.catalog();
  RouteCache cache;
  const RouteCache::Queues queues{{catalog::QueueId{7}}};
  CHECK(cache.find(catalog, "x", "key") == nullptr);
  cache.add("x", "key", queues);
  REQUIRE(cache.find(catalog, "x", "key") != nullptr);
  CHECK(*cache.find(catalog, "x", "key") == queues);
  CHECK(cache.find(catalog, "y", "key") == nullptr);
  CHECK(cache.find(catalog, "x", "other") == nullptr);

  catalog::DeclareExchange declare;
  declare.exchange.name = {"/", "e"};
  declare.exchange.type = "direct";
  REQUIRE(gateway.apply(declare));
  CHECK(cache.find(catalog, "x", "key") == nullptr);

  cache.add("x", "key", queues);
  REQUIRE(gateway.apply(catalog::SetPermission{{"guest", "/", "", "", ""}}));
  CHECK(cache.find(catalog, "x", "key") == nullptr);
}

TEST_CASE("many keys share a fixed number of places") {
  session::FakeGateway gateway;
  RouteCache cache;
  std::size_t known = 0;
  CHECK(cache.find(gateway.catalog(), "", "") == nullptr);
  for (std::uint64_t i = 1; i <= 1000; ++i)
    cache.add("", fmt::format("q{}", i), {catalog::QueueId{i}});
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    const auto* found = cache.find(gateway.catalog(), "", fmt::format("q{}", i));
    if (found == nullptr) continue;
    ++known;
    CHECK(*found == RouteCache::Queues{catalog::QueueId{i}});
  }
  CHECK(known >= 1);
  CHECK(known <= 16);
  cache.add("", "wide", RouteCache::Queues(1000));
  CHECK(cache.find(gateway.catalog(), "", "wide") == nullptr);
}
