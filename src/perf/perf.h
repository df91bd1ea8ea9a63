#pragma once

namespace warren::perf {

/// The command `warren perf`; the result is the exit status.
int run_perf(int argc, char** argv);

}  // namespace warren::perf
