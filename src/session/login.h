#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "session/environment.h"

namespace warren::session::amqp091 {

/// Whose name the certificate gives counts, and no password: offered over TLS only.
inline constexpr std::string_view external_mechanism = "EXTERNAL";

struct Credentials {
  std::string user;
  std::string password;
};

/// Reads the response of connection.start-ok: PLAIN is NUL user NUL password, AMQPLAIN a table
/// body with LOGIN and PASSWORD. invalid_argument, with a text for the log, for a mechanism that
/// is unknown and for a malformed response.
base::Result<Credentials> read_credentials(std::string_view mechanism, base::ByteView response);

/// The user that a client's certificate names, for EXTERNAL. access_refused, with a text for the
/// log, where there is none.
base::Result<std::string> certificate_user(const PeerInfo& peer);

/// What connection.start offers to this client.
std::string offered_mechanisms(const Environment& environment, const PeerInfo& peer);
bool is_offered(std::string_view mechanism, const Environment& environment, const PeerInfo& peer);

}  // namespace warren::session::amqp091
