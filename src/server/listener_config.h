#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/erlang_term.h"
#include "net/certificate.h"
#include "net/listener.h"
#include "net/tls_context.h"

namespace warren::server {

struct ListenAddress {
  std::string address;  ///< empty: all
  std::uint16_t port = 0;
  bool operator==(const ListenAddress&) const = default;
};

/// Which name of a client's certificate is the user's, with the EXTERNAL mechanism.
struct CertificateLogin {
  enum class From { distinguished_name, common_name, subject_alternative_name };
  From from = From::distinguished_name;
  net::Certificate::NameType san_type = net::Certificate::NameType::dns;
  std::size_t san_index = 0;
};

/// The listeners of clients, and what they ask of a connection before it may speak.
struct ListenerConfig {
  std::vector<ListenAddress> amqp_tls;
  net::TlsOptions tls;
  bool proxy_protocol = false;
  net::SocketOptions socket;
  std::uint32_t tls_handshake_timeout_ms = 5000;
  std::uint32_t connection_max = 0;     ///< open connections of the node; 0: no limit
  std::uint32_t accepted_max = 0;       ///< connections in whatever state; 0: no limit
  CertificateLogin certificate_login;
  std::vector<std::string> auth_mechanisms = {"PLAIN", "AMQPLAIN"};

  /// Of the HTTP API: the plain listener is there when it was named, or this one was not.
  std::vector<ListenAddress> management_tls;  ///< at most one
  net::TlsOptions management_tls_options;     ///< without a certificate: those of AMQP
  bool has_management_tcp = false;

  net::TlsOptions tls_of_management() const {
    return management_tls_options.certificate_file.empty() ? tls : management_tls_options;
  }
};

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
