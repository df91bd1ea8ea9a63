// The one program. The name that it is called by says what it is to be.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/invocation.h"
#include "perf/perf.h"
#include "server/server.h"

namespace {

using warren::cli::run_tool;

bool is_tool(const std::string& name) {
  return name == "rabbitmqctl" || name == "rabbitmq-diagnostics" || name == "rabbitmq-plugins";
}

int usage() {
  std::fputs(
      "Usage: warren rabbitmq-server [-detached]\n"
      "       warren rabbitmqctl|rabbitmq-plugins|rabbitmq-diagnostics <command> ...\n"
      "       warren epmd\n"
      "       warren perf [load|fill|drain|churn|idle|sink|relay] ...\n"
      "Or call it by one of these names.\n",
      stderr);
  return warren::cli::exit_usage;
}

int run(const std::string& name, int argc, char** argv) {
  if (name == "rabbitmq-server") return warren::server::run_server(argc, argv);
  if (name == "epmd") return warren::server::run_epmd(argc, argv);
  if (name == "warren-perf" || name == "perf") return warren::perf::run_perf(argc, argv);
  if (is_tool(name)) return run_tool(name, {argv + 1, argv + argc});
  // Called by its own name: the first word says what to be.
  if (argc < 2) return usage();
  const std::string word = argv[1];
  if (word == "rabbitmq-server" || word == "epmd" || word == "perf" || is_tool(word))
    return run(word, argc - 1, argv + 1);
  return usage();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "warren", argc,
               argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "Error: %s\n", error.what());
    return warren::cli::exit_software;
  }
}
