#include "broker/route_direct.h"

#include <algorithm>

#include "base/assert.h"

namespace warren::broker {

void TargetList::add(TargetNumber target) {
  if (count_++ == 0) {
    first_ = target;
    return;
  }
  if (!rest_) rest_ = std::make_unique<std::vector<TargetNumber>>();
  rest_->push_back(target);
}

void TargetList::remove(TargetNumber target) {
  ASSERT(count_ > 0);
  --count_;
  if (first_ == target) {
    if (count_ == 0) return;
    first_ = rest_->back();
  } else {
    ASSERT(rest_);
    auto place = std::ranges::find(*rest_, target);
    ASSERT(place != rest_->end());
    *place = rest_->back();
  }
  rest_->pop_back();
  if (rest_->empty()) rest_.reset();
}

void DirectTable::add(std::string_view binding_key, TargetNumber target) {
  auto found = targets_.find(binding_key);
  if (found == targets_.end()) found = targets_.try_emplace(std::string(binding_key)).first;
  found->second.add(target);
}

void DirectTable::remove(std::string_view binding_key, TargetNumber target) {
  auto found = targets_.find(binding_key);
  ASSERT(found != targets_.end());
  found->second.remove(target);
  if (found->second.empty()) targets_.erase(found);
}

void DirectTable::match(std::string_view routing_key, std::vector<TargetNumber>& out) const {
  auto found = targets_.find(routing_key);
  if (found != targets_.end()) found->second.append_to(out);
}

}  // namespace warren::broker
