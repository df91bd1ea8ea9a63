#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "broker/route_targets.h"
#include "catalog/catalog.h"

namespace warren::broker {

/// How long the header x-delay wants a message to wait, in milliseconds. Texts and fractions count
/// for the whole numbers that they say. Zero for what is not there, no number, or not between 1 and
/// the most that 32 bits hold.
std::uint64_t find_delay_ms(const base::FieldTable* headers);

/// Finds the queues that a publish reaches: through the exchange's own bindings, on through
/// bindings between exchanges, and through alternate exchanges where an exchange has no binding
/// that fits. It keeps compiled bindings, which follow the catalog change by change, and
/// recent answers in bounded number; use one router per shard.
class Router {
 public:
  /// `catalog` must outlive the router and stay where it is. `random` is for exchanges that
  /// choose by chance.
  explicit Router(const catalog::Catalog& catalog, base::Random random = base::Random(1));
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  /// Adds the queues to `out`, and leaves it sorted and without repeats. An exchange that does
  /// not exist leads nowhere. Only where `needs` says so is the content looked at.
  void route(const catalog::ResourceName& exchange, std::string_view routing_key,
             const RoutedContent& content, std::vector<catalog::QueueId>& out);

  /// The same for a message with several routing keys (CC and BCC), at least one: a binding fits
  /// when it fits one of them, so an alternate exchange is used only where none fits.
  void route(const catalog::ResourceName& exchange, std::span<const std::string_view> routing_keys,
             const RoutedContent& content, std::vector<catalog::QueueId>& out);

  struct Needs {
    /// A message published there can come to an exchange that looks at headers or properties.
    bool content = false;
    /// The routing key alone decides, for as long as the catalog stays as it is.
    bool key_alone = true;
  };
  Needs needs(const catalog::ResourceName& exchange);

  /// The x-recent-history exchanges by which the last routed message came, and which are to
  /// remember it. Nearly always none.
  const std::vector<catalog::ResourceName>& histories() const;
  /// All that the last routed message came to are the queues of exchanges that delay: where it will
  /// go nobody knows yet. Such a message is routed anew when it is due.
  bool is_held_back() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace warren::broker
