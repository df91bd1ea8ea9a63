// libFuzzer's side: WARREN_FUZZ=TARGET warren_fuzz [libFuzzer's options] [CORPUS...]
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const warren::fuzz::Target* const target = [] {
    const char* name = std::getenv("WARREN_FUZZ");
    const auto* found = warren::fuzz::find_target(name ? name : "");
    if (!found) {
      std::fprintf(stderr, "WARREN_FUZZ has to name a target\n");
      std::exit(2);
    }
    return found;
  }();
  target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
