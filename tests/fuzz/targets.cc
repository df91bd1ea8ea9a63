#include "fuzz/targets.h"

namespace warren::fuzz {
namespace {

constexpr Target all[] = {
    {"frame", fuzz_frame},     {"method", fuzz_method},       {"table", fuzz_table},
    {"content", fuzz_content}, {"session", fuzz_session},     {"epmd", fuzz_epmd},
    {"erlang", fuzz_erlang},   {"handshake", fuzz_handshake}, {"link", fuzz_link},
    {"raft", fuzz_raft},       {"catalog", fuzz_catalog},     {"log", fuzz_log},
    {"queue", fuzz_queue},     {"segment", fuzz_segment},     {"http", fuzz_http},
    {"conf", fuzz_conf},       {"proxy", fuzz_proxy},         {"api", fuzz_api},
    {"pattern", fuzz_pattern},
};

}  // namespace

std::span<const Target> targets() {
  return all;
}

const Target* find_target(std::string_view name) {
  for (const Target& target : all)
    if (target.name == name) return &target;
  return nullptr;
}

}  // namespace warren::fuzz
