#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <unistd.h>

#include "base/log.h"
#include "sim/scenario.h"

namespace {

using warren::sim::Scenario;
using warren::sim::WorldOptions;

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  bool is_repeated = false;  ///< each seed twice: the traces must be the same
  WorldOptions world;

  bool expects_failure() const { return world.has_lying_disks || world.has_false_deaths; }
};

int usage() {
  std::fputs("usage: warren_sim (--seed N | --seeds A..B) [-v] [--twice]\n"
             "                  [--lying-disks] [--false-deaths]\n"
             "-v prints the trace. --twice runs each seed twice and compares the traces. With the\n"
             "last two a promise of the surroundings is broken, and it is an error when no seed\n"
             "notices.\n",
             stderr);
  return 2;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument == "-v") {
      arguments.world.is_verbose = true;
    } else if (argument == "--twice") {
      arguments.is_repeated = true;
    } else if (argument == "--lying-disks") {
      arguments.world.has_lying_disks = true;
    } else if (argument == "--false-deaths") {
      arguments.world.has_false_deaths = true;
    } else if ((argument == "--seed" || argument == "--seeds") && i + 1 < argc) {
      char* rest = nullptr;
      arguments.first = arguments.last = std::strtoull(argv[++i], &rest, 10);
      if (std::strncmp(rest, "..", 2) == 0) arguments.last = std::strtoull(rest + 2, &rest, 10);
      if (*rest != '\0' || arguments.last < arguments.first) return false;
    } else {
      return false;
    }
  }
  return true;
}

/// For the handler of a failed assertion, which can't allocate.
char replay_command[200];

void on_abort(int) {
  ssize_t ignored = write(STDERR_FILENO, replay_command, std::strlen(replay_command));
  static_cast<void>(ignored);
  std::_Exit(1);
}

void note_seed(const WorldOptions& options) {
  std::snprintf(replay_command, sizeof replay_command,
                "replay with: warren_sim --seed %llu%s%s -v\n",
                static_cast<unsigned long long>(options.seed),
                options.has_lying_disks ? " --lying-disks" : "",
                options.has_false_deaths ? " --false-deaths" : "");
}

bool run_seed(const Arguments& arguments, std::uint64_t seed) {
  WorldOptions options = arguments.world;
  options.seed = seed;
  note_seed(options);
  Scenario scenario(options);
  auto failure = scenario.run();
  if (options.is_verbose)
    fmt::print("seed {}: {}, trace {:016x}\n", seed, scenario.summary(), scenario.trace_hash());
  if (!failure && arguments.is_repeated) {
    Scenario again(options);
    again.run();
    if (again.trace_hash() != scenario.trace_hash()) failure = "a second run went another way";
  }
  if (!failure) return true;
  fmt::print("seed {}: {}\n{}", seed, *failure, replay_command);
  std::fflush(stdout);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return usage();
  std::signal(SIGABRT, on_abort);
  std::signal(SIGSEGV, on_abort);
  if (arguments.world.is_verbose)
    warren::base::set_log_sink(
        [](warren::base::LogLevel, std::string_view line) { fmt::print("             | {}\n", line); },
        warren::base::LogLevel::debug);
  std::uint64_t failed = 0;
  for (std::uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    failed += run_seed(arguments, seed) ? 0 : 1;
    if (failed > 0 && arguments.expects_failure()) break;
  }
  fmt::print("{} seeds, {} failed\n", arguments.last - arguments.first + 1, failed);
  return (failed > 0) == arguments.expects_failure() ? 0 : 1;
}
