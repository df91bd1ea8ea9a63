#include "broker/resource.h"

#include "catalog/equivalence.h"

namespace warren::broker {

std::string resource_text(ResourceKind kind, const catalog::ResourceName& name) {
  return kind == ResourceKind::queue ? catalog::queue_text(name) : catalog::exchange_text(name);
}

base::Error no_such_resource(ResourceKind kind, const catalog::ResourceName& name) {
  return {base::ErrorCode::not_found, "no " + resource_text(kind, name)};
}

}  // namespace warren::broker
