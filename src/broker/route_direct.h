#pragma once

#include <string_view>
#include <vector>

#include "broker/route_targets.h"

namespace warren::broker {

/// The bindings of a direct exchange by their keys.
class DirectTable {
 public:
  void add(std::string_view binding_key, TargetNumber target);
  /// Removes one binding, which must be there.
  void remove(std::string_view binding_key, TargetNumber target);
  /// Appends the targets of the bindings whose key is equal to the routing key.
  void match(std::string_view routing_key, std::vector<TargetNumber>& out) const;
  bool empty() const { return targets_.empty(); }

 private:
  TextMap<TargetList> targets_;
};

}  // namespace warren::broker
