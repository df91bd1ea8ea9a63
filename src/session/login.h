#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace warren::session::amqp091 {

/// The mechanisms that connection.start offers, in the order of the offer.
inline constexpr std::string_view mechanisms = "PLAIN AMQPLAIN";

struct Credentials {
  std::string user;
  std::string password;
};

/// Reads the response of connection.start-ok: PLAIN is NUL user NUL password, AMQPLAIN a table
/// body with LOGIN and PASSWORD. invalid_argument, with a text for the log, for a mechanism that
/// is not offered and for a malformed response.
base::Result<Credentials> read_credentials(std::string_view mechanism, base::ByteView response);

}  // namespace warren::session::amqp091
