#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "codec/erlang_term.h"
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

/// "1", "1.authn" or "1.authz", and the back end there. invalid_argument for those that are not
/// offered; it says what is.
base::Result<> set_auth_backend(std::string_view place, std::string_view name,
                                Configuration& configuration);
/// What the configuration calls the back end whose users are those of the catalog.
inline constexpr std::string_view internal_backend = "internal";
/// The one name of a back end for all those by which it is known, such as that of its module.
base::Result<std::string> auth_backend_name(std::string_view name);
/// How many times the memory: "1.5".
base::Result<double> parse_factor(std::string_view text);

/// One key of rabbitmq.conf, below "ssl_options." or the like. False: it has no effect here.
base::Result<bool> set_tls_option(std::string_view key, std::string_view value,
                                  net::TlsOptions& options);
/// The same in the classic form: [{cacertfile, "..."}, ...].
base::Result<> set_tls_options(const codec::erlang::Term& value, net::TlsOptions& options);

/// Other keys of rabbitmq.conf that belong here. False: it is none of them.
base::Result<bool> set_listener_option(std::string_view key, std::string_view value,
                                       ListenerConfig& config);
/// Settings of the application rabbit in the classic form, likewise.
base::Result<bool> set_listener_term(std::string_view key, const codec::erlang::Term& value,
                                     ListenerConfig& config);

}  // namespace warren::server
