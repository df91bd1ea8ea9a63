#pragma once

#include "catalog/pattern.h"
#include "catalog/policy_definition.h"

namespace warren::catalog {

/// A policy made ready for use; derived from its record.
struct CompiledPolicy {
  Pattern pattern;
  PolicyDefinition definition;
};

/// invalid_argument when the pattern or the definition is not valid.
base::Result<CompiledPolicy> compile_policy(const Policy& policy, PolicyKind kind);

}  // namespace warren::catalog
