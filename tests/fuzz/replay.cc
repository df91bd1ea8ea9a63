// Runs targets over files, without a fuzzer: warren_fuzz_replay TARGET FILE|FOLDER...
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/targets.h"

namespace {

namespace fs = std::filesystem;

/// What is out of proportion to its input fails here instead of taking the machine along.
constexpr rlim_t most_memory_bytes = 2u << 30;

std::vector<fs::path> files_of(const char* path) {
  std::vector<fs::path> files;
  if (!fs::is_directory(path)) return {path};
  for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const auto* target = argc > 2 ? warren::fuzz::find_target(argv[1]) : nullptr;
  if (!target) {
    std::fprintf(stderr, "usage: warren_fuzz_replay TARGET FILE|FOLDER...\n");
    return 2;
  }
#ifndef __SANITIZE_ADDRESS__
  const rlimit limit{most_memory_bytes, most_memory_bytes};
  setrlimit(RLIMIT_AS, &limit);
#endif
  std::size_t count = 0;
  for (int i = 2; i < argc; ++i)
    for (const fs::path& file : files_of(argv[i])) {
      std::ifstream stream(file, std::ios::binary);
      if (!stream) {
        std::fprintf(stderr, "%s: can't be read\n", file.c_str());
        return 1;
      }
      const std::string input(std::istreambuf_iterator<char>(stream), {});
      // Told before, so that the last line names the input that crashes.
      std::printf("%s\n", file.filename().c_str());
      std::fflush(stdout);
      target->run(input);
      ++count;
    }
  std::printf("%s: %zu inputs\n", argv[1], count);
  return count == 0;
}
