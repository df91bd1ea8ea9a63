#pragma once

namespace warren::perf {

/// From now on the first Ctrl-C (SIGINT) or SIGTERM only asks to stop; the second ends the process.
void catch_interrupts();
bool is_interrupted();

}  // namespace warren::perf
