#pragma once

#include "base/result.h"
#include "perf/options.h"

namespace warren::perf {

/// A server on 127.0.0.1 that agrees to whatever a client asks, and either reads publishes and
/// drops them, or, as a relay, writes each to the consumer that came last. It confirms once for
/// all that it read in a turn. Nothing is queued but what a consumer's socket does not take; then
/// producers are read no further. Runs until it is interrupted.
base::Result<> run_stub_server(const Options& options);

}  // namespace warren::perf
