#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

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

}  // namespace warren::broker
