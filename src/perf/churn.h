#pragma once

#include "base/result.h"
#include "perf/options.h"
#include "perf/report.h"

namespace warren::perf {

/// Makes things and unmakes them again, timing each request.
base::Result<Report> run_churn(const Options& options);
/// Opens connections with channels and holds them, to see what each costs.
base::Result<Report> run_idle(const Options& options);

}  // namespace warren::perf
