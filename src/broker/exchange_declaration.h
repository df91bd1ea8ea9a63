#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/records.h"

/// Checks of what clients do to exchanges. A session that declares asks, in this order:
/// ExchangeTypes::check, check_not_default_exchange, the permission; then check_equivalent
/// (equivalence.h) when the exchange exists, and check_new_exchange when it does not, and
/// ExchangeTypes::check once more for its catalog::routing_type.
namespace warren::broker {

struct ExchangeType {
  std::string_view name;
  std::string_view description;
  std::string_view plugin;  ///< that brings it; empty: every broker has it
};

/// The types of exchanges that clients may declare on this node. What is declared already works
/// in any case.
class ExchangeTypes {
 public:
  /// Those that every broker has, and those of these plugins; others than plugins of exchange
  /// types are passed over.
  explicit ExchangeTypes(const std::set<std::string, std::less<>>& plugins = {});

  /// By name.
  std::span<const ExchangeType> offered() const { return offered_; }
  /// invalid_argument "unknown exchange type 't'".
  base::Result<> check(std::string_view type) const;

 private:
  std::vector<ExchangeType> offered_;
};

/// access_refused "operation not permitted on the default exchange".
base::Result<> check_not_default_exchange(std::string_view exchange);

/// access_refused for a reserved name, precondition_failed for an alternate-exchange that is not
/// text and for arguments that the type does not take. The type behind one that delays is left to
/// ExchangeTypes::check.
base::Result<> check_new_exchange(const catalog::Exchange& wanted);

/// access_refused for the default and the pre-declared exchanges.
base::Result<> check_exchange_deletable(const catalog::ResourceName& exchange);

/// access_refused "cannot publish to internal exchange 'x' in vhost '/'".
base::Result<> check_publishable(const catalog::Exchange& exchange);

/// Checks a new binding of that exchange: precondition_failed for an x-match that a headers
/// exchange does not know, and for a key that is no weight on a consistent-hash exchange;
/// access_refused for a queue of delayed messages.
base::Result<> check_binding(const catalog::Exchange& source, const catalog::Binding& binding);

}  // namespace warren::broker
