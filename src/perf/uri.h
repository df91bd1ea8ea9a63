#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace warren::perf {

/// Where a broker is and as whom to log in.
struct Uri {
  std::string host = "127.0.0.1";
  std::uint16_t port = 5672;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
};

/// amqp://user:password@host:port/vhost, where all but the scheme may be left out and each part
/// may have %xx. An absent or empty path is the vhost "/".
base::Result<Uri> parse_uri(std::string_view text);

}  // namespace warren::perf
