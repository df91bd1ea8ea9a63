#include "server/conf_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>

namespace warren::server {
namespace {

using codec::erlang::Term;
using codec::erlang::Tuple;
using NameType = net::Certificate::NameType;

constexpr std::uint64_t longest_timeout_ms = 86400000;
constexpr std::uint64_t largest_buffer = 1u << 30;
constexpr std::string_view hosts_key = "sni_hosts.";

std::unexpected<base::Error> unexpected_value(std::string_view value, std::string_view expected) {
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("'{}' is not {}", value, expected));
}

template <typename T>
base::Result<bool> set_number(std::string_view value, std::uint64_t lowest, std::uint64_t highest,
                              T& to) {
  TRY_ASSIGN(auto number, parse_number(value, lowest, highest));
  to = static_cast<T>(number);
  return true;
}
base::Result<bool> set_bool(std::string_view value, bool& to) {
  TRY_ASSIGN(to, parse_bool(value));
  return true;
}
base::Result<bool> set_text(std::string_view value, std::string& to) {
  to = value;
  return true;
}
/// A number, or "infinity" for none.
base::Result<bool> set_limit(std::string_view value, std::uint32_t& to) {
  if (value == "infinity") value = "0";
  return set_number(value, 0, UINT32_MAX, to);
}

base::Result<bool> set_login_from(std::string_view value, CertificateLogin& login) {
  using enum CertificateLogin::From;
  static const std::map<std::string_view, CertificateLogin::From> names = {
      {"common_name", common_name},
      {"distinguished_name", distinguished_name},
      {"subject_alternative_name", subject_alternative_name},
      {"subject_alt_name", subject_alternative_name}};
  const auto found = names.find(value);
  if (found == names.end())
    return unexpected_value(value, "distinguished_name, common_name or subject_alternative_name");
  login.from = found->second;
  return true;
}
base::Result<bool> set_san_type(std::string_view value, CertificateLogin& login) {
  using enum NameType;
  static const std::map<std::string_view, NameType> names = {
      {"dns", dns}, {"email", email}, {"ip", ip}, {"other_name", other}, {"uri", uri}};
  const auto found = names.find(value);
  if (found == names.end()) return unexpected_value(value, "dns, ip, email, uri or other_name");
  login.san_type = found->second;
  return true;
}

base::Result<bool> add_address(std::string_view value, std::vector<ListenAddress>& to) {
  TRY_ASSIGN(auto address, parse_listen_address(value));
  to.push_back(std::move(address));
  return true;
}

ListenAddress& management_tls(ListenerConfig& config) {
  if (config.management_tls.empty()) config.management_tls.push_back({{}, 15671});
  return config.management_tls.front();
}

base::Result<bool> set_management_tls(std::string_view key, std::string_view value,
                                      ListenerConfig& config) {
  if (key == "port") return set_number(value, 1, 65535, management_tls(config).port);
  if (key == "ip") {
    management_tls(config).address = value == "::" ? std::string_view() : value;
    return true;
  }
  TRY(set_tls_option(key, value, config.management_tls_options));
  return true;
}

/// What a term looks like in rabbitmq.conf; empty where it can't be one value.
std::string text_of(const Term& value) {
  if (const auto* text = value.text()) return *text;
  if (const auto* number = value.as<std::int64_t>()) return fmt::format("{}", *number);
  return {};
}

base::Result<bool> set_identity_option(std::string_view key, std::string_view value,
                                       net::TlsIdentity& identity) {
  if (key == "certfile") return set_text(value, identity.certificate_file);
  if (key == "keyfile") return set_text(value, identity.key_file);
  if (key == "password") return set_text(value, identity.password);
  return false;
}

/// What a client is shown that asks for `host`. Whom to trust and what to speak is the listener's.
base::Result<bool> set_host_option(std::string_view host, std::string_view key,
                                   std::string_view value, net::TlsOptions& options) {
  std::string name(host);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  TRY_ASSIGN(const bool is_known, set_identity_option(key, value, options.hosts[name]));
  if (!is_known) return unexpected_value(key, "certfile, keyfile or password");
  return true;
}

/// [{"broker.example", [{certfile, "..."}, ...]}].
base::Result<> set_hosts(const Term& value, net::TlsOptions& options) {
  const auto* hosts = value.items();
  for (std::size_t i = 0; hosts && i < hosts->size(); ++i) {
    const auto* pair = (*hosts)[i].as<Tuple>();
    const bool is_pair = pair && pair->items.size() == 2 && pair->items[0].text();
    const auto* settings = is_pair ? pair->items[1].items() : nullptr;
    if (!settings) return unexpected_value("sni_hosts", "a list of {host, [{option, value}]}");
    for (const Term& setting : *settings) {
      const auto* option = setting.as<Tuple>();
      if (!option || option->items.size() != 2 || !option->items[0].text())
        return base::fail(base::ErrorCode::invalid_argument, "expected {option, value}");
      TRY(set_host_option(*pair->items[0].text(), *option->items[0].text(),
                          text_of(option->items[1]), options));
    }
  }
  return {};
}

}  // namespace

std::string certificate_user(const net::Certificate& certificate, const CertificateLogin& rule) {
  switch (rule.from) {
    case CertificateLogin::From::distinguished_name:
      return certificate.subject;
    case CertificateLogin::From::common_name:
      return fmt::format("{}", fmt::join(certificate.common_names, ","));
    case CertificateLogin::From::subject_alternative_name:
      return certificate.alternative_name(rule.san_type, rule.san_index).value_or("");
  }
  return {};
}

base::Result<bool> set_tls_option(std::string_view key, std::string_view value,
                                  net::TlsOptions& options) {
  if (key.starts_with(hosts_key)) {
    const std::size_t name_end = key.rfind('.');
    if (name_end < hosts_key.size()) return false;
    const std::string_view host = key.substr(hosts_key.size(), name_end - hosts_key.size());
    return set_host_option(host, key.substr(name_end + 1), value, options);
  }
  if (key == "cacertfile") return set_text(value, options.ca_file);
  TRY_ASSIGN(const bool is_of_identity, set_identity_option(key, value, options));
  if (is_of_identity) return true;
  if (key == "depth") return set_number(value, 0, 255, options.depth);
  if (key == "fail_if_no_peer_cert") return set_bool(value, options.fail_if_no_peer_cert);
  if (key == "honor_cipher_order") return set_bool(value, options.honor_cipher_order);
  if (key == "verify") {
    if (value != "verify_peer" && value != "verify_none")
      return unexpected_value(value, "verify_peer or verify_none");
    options.verify_peer = value == "verify_peer";
    return true;
  }
  if (key.starts_with("versions.")) {
    options.versions.emplace_back(value);
    return true;
  }
  if (key.starts_with("ciphers.")) {
    options.ciphers.emplace_back(value);
    return true;
  }
  return false;
}

base::Result<> set_tls_options(const Term& value, net::TlsOptions& options) {
  const auto* pairs = value.items();
  if (!pairs) return base::fail(base::ErrorCode::invalid_argument, "expected a list of options");
  options = {};
  for (const Term& item : *pairs) {
    const auto* pair = item.as<Tuple>();
    if (!pair || pair->items.size() != 2 || !pair->items[0].text())
      return base::fail(base::ErrorCode::invalid_argument, "expected {option, value}");
    const std::string& key = *pair->items[0].text();
    const Term& given = pair->items[1];
    if (key == "versions" || key == "ciphers") {
      const auto* items = given.items();
      for (std::size_t i = 0; items && i < items->size(); ++i)
        TRY(set_tls_option(key + ".", text_of((*items)[i]), options));
    } else if (key == "sni_hosts") {
      TRY(set_hosts(given, options));
    } else {
      TRY(set_tls_option(key, text_of(given), options));
    }
  }
  return {};
}

base::Result<bool> set_listener_option(std::string_view key, std::string_view value,
                                       ListenerConfig& config) {
  auto below = [&key](std::string_view prefix) {
    const bool found = key.starts_with(prefix);
    if (found) key.remove_prefix(prefix.size());
    return found;
  };
  if (key == "proxy_protocol") return set_bool(value, config.proxy_protocol);
  if (key == "ssl_handshake_timeout")
    return set_number(value, 1, longest_timeout_ms, config.tls_handshake_timeout_ms);
  if (key == "connection_max" || key == "max_connections")
    return set_limit(value, config.connection_max);
  if (key == "ranch_connection_max") return set_limit(value, config.accepted_max);
  if (key == "ssl_cert_login_from") return set_login_from(value, config.certificate_login);
  if (key == "ssl_cert_login_san_type") return set_san_type(value, config.certificate_login);
  if (key == "ssl_cert_login_san_index")
    return set_number(value, 0, 1000, config.certificate_login.san_index);
  if (key == "tcp_listen_options.backlog")
    return set_number(value, 1, 65535, config.socket.backlog);
  if (key == "tcp_listen_options.nodelay") return set_bool(value, config.socket.no_delay);
  if (key == "tcp_listen_options.keepalive") return set_bool(value, config.socket.keep_alive);
  if (key == "tcp_listen_options.sndbuf")
    return set_number(value, 0, largest_buffer, config.socket.send_buffer);
  if (key == "tcp_listen_options.recbuf")
    return set_number(value, 0, largest_buffer, config.socket.receive_buffer);
  if (key == "listeners.ssl") {
    if (value != "none") return unexpected_value(value, "none");
    config.amqp_tls.clear();
    return true;
  }
  if (below("listeners.ssl.")) return add_address(value, config.amqp_tls);
  if (below("ssl_options.")) return set_tls_option(key, value, config.tls);
  if (below("management.ssl.")) return set_management_tls(key, value, config);
  return false;
}

base::Result<bool> set_listener_term(std::string_view key, const Term& value,
                                     ListenerConfig& config) {
  if (key == "ssl_options") {
    TRY(set_tls_options(value, config.tls));
    return true;
  }
  if (key == "auth_mechanisms" && value.items()) {
    config.auth_mechanisms.clear();
    for (const Term& name : *value.items()) config.auth_mechanisms.push_back(text_of(name));
    return true;
  }
  if (key == "tcp_listen_options" && value.items()) {
    for (const Term& item : *value.items())
      if (const auto* pair = item.as<Tuple>(); pair && pair->items.size() == 2)
        TRY(set_listener_option("tcp_listen_options." + text_of(pair->items[0]),
                                text_of(pair->items[1]), config));
    return true;
  }
  if (key == "tcp_listen_options" || key.find('.') != std::string_view::npos ||
      key == "listeners" || text_of(value).empty())
    return false;
  return set_listener_option(key, text_of(value), config);
}

}  // namespace warren::server
