#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "catalog/catalog.h"

namespace warren::session::amqp091 {

/// Where the latest publishes of one channel went: those that the user was allowed, for one state
/// of the catalog's routing and permissions. Of a fixed size, and without memory before its use.
class RouteCache {
 public:
  using Queues = std::vector<catalog::QueueId>;

  /// The queues, or null when they are not known for this state of the catalog.
  const Queues* find(const catalog::Catalog& catalog, base::ByteView exchange,
                     base::ByteView routing_key);
  /// Remembers an answer for the catalog that `find` was last asked about.
  void add(base::ByteView exchange, base::ByteView routing_key, const Queues& queues);

 private:
  struct Route {
    bool is_set = false;
    std::string exchange;
    std::string routing_key;
    Queues queues;

    bool is_for(base::ByteView wanted_exchange, base::ByteView wanted_key) const {
      return is_set && routing_key == wanted_key && exchange == wanted_exchange;
    }
  };
  static constexpr std::size_t size = 16;
  using Routes = std::array<Route, size>;

  Route& place_of(base::ByteView exchange, base::ByteView routing_key);

  std::uint64_t routing_version_ = 0;
  std::uint64_t permission_version_ = 0;
  std::unique_ptr<Routes> routes_;
  Route* last_ = nullptr;  ///< publishes come in runs for one key
};

}  // namespace warren::session::amqp091
