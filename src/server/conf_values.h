#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "server/configuration.h"

/// How the values of rabbitmq.conf are read. Errors are invalid_argument and say what is expected.
namespace warren::server {

std::string_view trim(std::string_view text);
/// A whole number in [lowest, highest].
base::Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t lowest,
                                         std::uint64_t highest);
base::Result<bool> parse_bool(std::string_view text);
/// "5672", "127.0.0.1:5672" or "[::1]:5672".
base::Result<ListenAddress> parse_listen_address(std::string_view text);
base::Result<base::LogLevel> parse_log_level(std::string_view text);
/// A share of the memory: "0.4"; at most 1.
base::Result<double> parse_share(std::string_view text);

}  // namespace warren::server
