#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace warren::fuzz {

/// Takes any bytes and comes back; what must hold is asserted. Keeps nothing between calls.
struct Target {
  std::string_view name;
  void (*run)(base::ByteView input);
};

/// Each also names a folder of corpus/.
std::span<const Target> targets();
const Target* find_target(std::string_view name);

void fuzz_frame(base::ByteView input);
void fuzz_method(base::ByteView input);
void fuzz_table(base::ByteView input);
void fuzz_content(base::ByteView input);
void fuzz_session(base::ByteView input);
void fuzz_epmd(base::ByteView input);
void fuzz_handshake(base::ByteView input);
void fuzz_erlang(base::ByteView input);
void fuzz_link(base::ByteView input);
void fuzz_raft(base::ByteView input);
void fuzz_catalog(base::ByteView input);
void fuzz_log(base::ByteView input);
void fuzz_segment(base::ByteView input);
void fuzz_queue(base::ByteView input);
void fuzz_http(base::ByteView input);
void fuzz_conf(base::ByteView input);
void fuzz_proxy(base::ByteView input);
void fuzz_api(base::ByteView input);
void fuzz_pattern(base::ByteView input);

}  // namespace warren::fuzz
