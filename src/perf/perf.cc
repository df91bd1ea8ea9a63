#include "perf/perf.h"

#include <cstdio>
#include <string>
#include <vector>

#include "perf/churn.h"
#include "perf/client.h"
#include "perf/interrupt.h"
#include "perf/load.h"
#include "perf/options.h"
#include "perf/stub_server.h"

namespace warren::perf {

namespace {

constexpr int exit_usage = 64;
constexpr int exit_failed = 1;

int fail_with(int status, const std::string& text) {
  std::fprintf(stderr, "warren perf: %s\n", text.c_str());
  return status;
}

base::Result<> run_mode(const Options& options) {
  switch (options.mode) {
    case Mode::sink:
    case Mode::relay: return run_stub_server(options);
    case Mode::churn: {
      TRY_ASSIGN(const auto report, run_churn(options));
      return report.publish(options);
    }
    case Mode::idle: {
      TRY_ASSIGN(const auto report, run_idle(options));
      return report.publish(options);
    }
    case Mode::load:
    case Mode::fill:
    case Mode::drain: break;
  }
  TRY_ASSIGN(const auto report, Load(options).run());
  return report.publish(options);
}

}  // namespace

int run_perf(int argc, char** argv) {
  auto options = parse_options({argv + 1, argv + argc});
  if (!options) return fail_with(exit_usage, options.error().text);
  if (!options->help.empty()) {
    std::fputs(options->help.c_str(), stdout);
    return 0;
  }
  catch_interrupts();
  raise_file_limit();
  const auto done = run_mode(*options);
  return done ? 0 : fail_with(exit_failed, done.error().text);
}

}  // namespace warren::perf
