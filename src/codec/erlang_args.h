#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/erlang_term.h"

namespace warren::codec::erlang {

/// One application setting given on an Erlang command line: `-rabbit tcp_listeners [5672]`.
struct AppSetting {
  std::string app;
  std::string key;
  Term value;
  bool operator==(const AppSetting&) const = default;
};

/// Reads settings from start arguments (RABBITMQ_SERVER_START_ARGS and its like). Words are
/// split at blanks; quotes and backslashes work as in a shell. After -APP come pairs of key and
/// term; a flag without such pairs, and emulator flags (+P 100), are passed over. A pair whose
/// value is no term is invalid_argument, with the pair in the text.
base::Result<std::vector<AppSetting>> parse_start_args(std::string_view text);

}  // namespace warren::codec::erlang
