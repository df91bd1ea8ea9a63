#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "codec/erlang_args.h"
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

/// Whom a certificate names under that rule; empty: nobody.
std::string certificate_user(const net::Certificate& certificate, const CertificateLogin& rule);

/// A link of the chain of back ends that say who may log in and do what, by their names.
struct AuthLinkConfig {
  std::string authenticates;
  std::vector<std::string> authorizes;
  bool operator==(const AuthLinkConfig&) const = default;
};

inline constexpr std::uint64_t most_consumer_timeout_ms = 1'000'000'000'000'000;

/// What rabbitmq.conf, rabbitmq.config and start arguments say. Later sources win.
struct Configuration {
  /// Empty optional: the default port on all addresses. An empty list: none.
  std::optional<std::vector<ListenAddress>> amqp_listeners;
  ListenAddress management{{}, 15672};
  ListenerConfig listeners;
  std::optional<std::uint16_t> dist_port;
  std::set<std::string, std::less<>> loopback_users = {"guest"};

  /// In their order; a half that is not named is the other half.
  std::map<std::uint32_t, AuthLinkConfig> auth_backends;

  std::uint16_t heartbeat_s = 60;
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max = 131072;
  std::uint64_t max_message_size = 134217728;
  std::uint32_t handshake_timeout_ms = 10000;
  std::uint64_t consumer_timeout_ms = 1800000;  ///< zero: none
  std::uint32_t wait_for_members_ms = 30000;

  std::string default_user = "guest";
  std::string default_pass = "guest";
  std::string default_vhost = "/";
  std::optional<std::vector<std::string>> default_user_tags;  ///< empty optional: administrator
  /// Of the default user in the default vhost: configure, write, read.
  std::array<std::string, 3> default_permissions = {".*", ".*", ".*"};
  std::string cluster_name;  ///< empty: the node's own name

  base::LogLevel log_level = base::LogLevel::info;
  bool log_to_console = false;
  std::string log_file;  ///< log.file, when it is a name

  double memory_watermark = 0.4;             ///< a share of the memory
  std::uint64_t memory_watermark_bytes = 0;  ///< when set, instead of the share
  std::uint64_t disk_free_limit = 50'000'000;
  double disk_free_share = 0;  ///< of the memory; when set, instead of the bytes
  /// Bytes of messages that queues keep in memory; the others are on disk only.
  std::uint64_t message_memory = 96u << 20;

  /// Keys that RabbitMQ knows and this node has no use for; for the log.
  std::vector<std::string> unused_keys;
};

/// Reads "key = value" lines into `configuration`. An error is invalid_argument, with the file's
/// name and the line: for a key that nobody knows, and for a value that makes no sense.
base::Result<> read_conf(std::string_view text, std::string_view file_name,
                         Configuration& configuration);
/// Reads the classic format: one Erlang list of {app, [{key, value}]}. Settings of other
/// applications than rabbit and rabbitmq_management are passed over.
base::Result<> read_classic_config(std::string_view text, std::string_view file_name,
                                   Configuration& configuration);
/// Applies start arguments: `-rabbitmq_management listener [{port,15672}]`.
base::Result<> apply_settings(const std::vector<codec::erlang::AppSetting>& settings,
                              Configuration& configuration);

/// Reads those files, each by its suffix.
base::Result<Configuration> read_config_files(const std::vector<std::filesystem::path>& files);

/// "50MB", "1GiB", "1000": bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace warren::server
