#include "broker/route_direct.h"

namespace warren::broker {

void DirectTable::add(std::string_view binding_key, BindingNumber binding) {
  bindings_[std::string(binding_key)].push_back(binding);
}

void DirectTable::match(std::string_view routing_key, std::vector<BindingNumber>& out) const {
  auto found = bindings_.find(routing_key);
  if (found != bindings_.end()) out.insert(out.end(), found->second.begin(), found->second.end());
}

}  // namespace warren::broker
