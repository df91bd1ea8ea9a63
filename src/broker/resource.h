#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "catalog/names.h"

/// How named things appear in the error texts that clients read.
namespace warren::broker {

enum class ResourceKind : std::uint8_t { queue, exchange };

/// "queue 'q' in vhost '/'".
std::string resource_text(ResourceKind kind, const catalog::ResourceName& name);

/// not_found "no queue 'q' in vhost '/'".
base::Error no_such_resource(ResourceKind kind, const catalog::ResourceName& name);

}  // namespace warren::broker
