#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/field_value.h"
#include "catalog/catalog.h"

namespace warren::broker {

/// Finds the queues that a publish reaches: through the exchange's own bindings, on through
/// bindings between exchanges, and through alternate exchanges where an exchange has no binding
/// that fits. It keeps compiled bindings, which follow the catalog change by change, and
/// recent answers in bounded number; use one router per shard.
class Router {
 public:
  /// `catalog` must outlive the router and stay where it is.
  explicit Router(const catalog::Catalog& catalog);
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  /// Adds the queues to `out`, and leaves it sorted and without repeats. An exchange that does
  /// not exist leads nowhere. `headers` may be null; only headers exchanges look at them.
  void route(const catalog::ResourceName& exchange, std::string_view routing_key,
             const base::FieldTable* headers, std::vector<catalog::QueueId>& out);

  /// The same for a message with several routing keys (CC and BCC): a binding fits when it fits
  /// one of them, so an alternate exchange is used only where none fits.
  void route(const catalog::ResourceName& exchange, std::span<const std::string_view> routing_keys,
             const base::FieldTable* headers, std::vector<catalog::QueueId>& out);

  /// True when a message published there can come to a headers exchange. Otherwise its headers
  /// need not be decoded for routing.
  bool needs_headers(const catalog::ResourceName& exchange);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace warren::broker
