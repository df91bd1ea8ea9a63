#include <fmt/format.h>

#include <algorithm>

#include "codec/erlang_term.h"
#include "server/conf_values.h"
#include "server/configuration.h"

namespace warren::server {
namespace {

using codec::erlang::Term;
using codec::erlang::Tuple;

std::unexpected<base::Error> malformed(std::string_view key, const Term& value) {
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("{}: unexpected value {}", key, codec::erlang::print_flat(value)));
}

base::Result<std::uint64_t> number(std::string_view key, const Term& value, std::uint64_t highest) {
  const auto* integer = value.as<std::int64_t>();
  if (!integer || *integer < 0 || static_cast<std::uint64_t>(*integer) > highest)
    return malformed(key, value);
  return static_cast<std::uint64_t>(*integer);
}

base::Result<std::uint16_t> port(std::string_view key, const Term& value) {
  TRY_ASSIGN(auto wide, number(key, value, 65535));
  if (wide == 0) return malformed(key, value);
  return static_cast<std::uint16_t>(wide);
}

/// 5672, or {"127.0.0.1", 5672}.
base::Result<ListenAddress> listen_address(std::string_view key, const Term& value) {
  ListenAddress address;
  const Term* port_term = &value;
  if (const auto* tuple = value.as<Tuple>()) {
    if (tuple->items.size() != 2 || !tuple->items[0].text()) return malformed(key, value);
    std::string host = *tuple->items[0].text();
    address.address = host == "::" || host == "auto" ? std::string() : host;
    port_term = &tuple->items[1];
  }
  TRY_ASSIGN(address.port, port(key, *port_term));
  return address;
}

base::Result<std::vector<ListenAddress>> listen_addresses(std::string_view key,
                                                          const Term& value) {
  const auto* items = value.items();
  if (!items) return malformed(key, value);
  std::vector<ListenAddress> addresses;
  for (const Term& item : *items) {
    TRY_ASSIGN(auto address, listen_address(key, item));
    addresses.push_back(std::move(address));
  }
  return addresses;
}
base::Result<> set_listeners(const Term& value, Configuration& configuration) {
  TRY_ASSIGN(configuration.amqp_listeners, listen_addresses("tcp_listeners", value));
  return {};
}
base::Result<> set_tls_listeners(const Term& value, Configuration& configuration) {
  TRY_ASSIGN(configuration.listeners.amqp_tls, listen_addresses("ssl_listeners", value));
  return {};
}

base::Result<std::vector<std::string>> texts(std::string_view key, const Term& value) {
  const auto* items = value.items();
  if (!items) return malformed(key, value);
  std::vector<std::string> all;
  for (const Term& item : *items) {
    if (!item.text()) return malformed(key, value);
    all.push_back(*item.text());
  }
  return all;
}

base::Result<> set_loopback_users(const Term& value, Configuration& configuration) {
  TRY_ASSIGN(auto users, texts("loopback_users", value));
  configuration.loopback_users = {users.begin(), users.end()};
  return {};
}

/// The back end's name, or a list of such names.
base::Result<std::vector<std::string>> auth_backend_names(const Term& value) {
  std::vector<std::string> names;
  const auto* items = value.items();
  for (const Term& item : items ? *items : std::vector<Term>{value}) {
    if (!item.text()) return malformed("auth_backends", value);
    auto name = auth_backend_name(*item.text());
    if (!name) return base::fail(name.error().code, "auth_backends: " + name.error().text);
    names.push_back(std::move(*name));
  }
  if (names.empty()) return malformed("auth_backends", value);
  return names;
}

/// [rabbit_auth_backend_internal], where a pair names one for authentication and one or several
/// for authorisation.
base::Result<> set_auth_backends(const Term& value, Configuration& configuration) {
  const auto* items = value.items();
  if (!items) return malformed("auth_backends", value);
  configuration.auth_backends.clear();
  for (const Term& item : *items) {
    const auto* pair = item.as<Tuple>();
    if (pair ? pair->items.size() != 2 : !item.text()) return malformed("auth_backends", value);
    TRY_ASSIGN(auto first, auth_backend_names(pair ? pair->items[0] : item));
    TRY_ASSIGN(auto all, auth_backend_names(pair ? pair->items[1] : item));
    const auto place = static_cast<std::uint32_t>(configuration.auth_backends.size());
    configuration.auth_backends[place] = {std::move(first.front()), std::move(all)};
  }
  return {};
}

base::Result<> set_default_permissions(const Term& value, Configuration& configuration) {
  TRY_ASSIGN(auto patterns, texts("default_permissions", value));
  if (patterns.size() != 3) return malformed("default_permissions", value);
  std::ranges::move(patterns, configuration.default_permissions.begin());
  return {};
}

base::Result<> set_watermark(const Term& value, Configuration& configuration) {
  if (const auto* share = value.as<double>(); share && *share >= 0 && *share <= 1) {
    configuration.memory_watermark = *share;
    configuration.memory_watermark_bytes = 0;
    return {};
  }
  const auto* tuple = value.as<Tuple>();
  if (!tuple || tuple->items.size() != 2 || !tuple->items[0].is_atom("absolute"))
    return malformed("vm_memory_high_watermark", value);
  if (const auto* text = tuple->items[1].text()) {
    auto size = parse_size(*text);
    if (!size) return malformed("vm_memory_high_watermark", value);
    configuration.memory_watermark_bytes = *size;
    return {};
  }
  TRY_ASSIGN(configuration.memory_watermark_bytes,
             number("vm_memory_high_watermark", tuple->items[1], INT64_MAX));
  return {};
}

/// 50000000, "50MB" or {mem_relative, 1.0}.
base::Result<> set_disk_limit(const Term& value, Configuration& configuration) {
  const auto* tuple = value.as<Tuple>();
  if (tuple && tuple->items.size() == 2 && tuple->items[0].is_atom("mem_relative")) {
    const auto* share = tuple->items[1].as<double>();
    if (!share || *share < 0) return malformed("disk_free_limit", value);
    configuration.disk_free_share = *share;
    return {};
  }
  if (const auto* text = value.text()) {
    auto size = parse_size(*text);
    if (!size) return malformed("disk_free_limit", value);
    configuration.disk_free_limit = *size;
    return {};
  }
  TRY_ASSIGN(configuration.disk_free_limit, number("disk_free_limit", value, INT64_MAX));
  return {};
}

base::Result<> set_text(std::string_view key, const Term& value, std::string& to) {
  if (!value.text()) return malformed(key, value);
  to = *value.text();
  return {};
}

base::Result<> apply_rabbit(const std::string& key, const Term& value,
                            Configuration& configuration) {
  if (key == "tcp_listeners") return set_listeners(value, configuration);
  if (key == "ssl_listeners") return set_tls_listeners(value, configuration);
  if (key == "loopback_users") return set_loopback_users(value, configuration);
  if (key == "auth_backends") return set_auth_backends(value, configuration);
  if (key == "vm_memory_high_watermark") return set_watermark(value, configuration);
  if (key == "default_user") return set_text(key, value, configuration.default_user);
  if (key == "default_pass") return set_text(key, value, configuration.default_pass);
  if (key == "default_vhost") return set_text(key, value, configuration.default_vhost);
  if (key == "default_permissions") return set_default_permissions(value, configuration);
  if (key == "default_user_tags") {
    TRY_ASSIGN(configuration.default_user_tags, texts(key, value));
    return {};
  }
  if (key == "heartbeat") {
    TRY_ASSIGN(auto seconds, number(key, value, 65535));
    configuration.heartbeat_s = static_cast<std::uint16_t>(seconds);
  } else if (key == "channel_max") {
    TRY_ASSIGN(auto most, number(key, value, 65535));
    configuration.channel_max = static_cast<std::uint16_t>(most);
  } else if (key == "frame_max") {
    TRY_ASSIGN(auto bytes, number(key, value, 0x7FFFFFFF));
    configuration.frame_max = static_cast<std::uint32_t>(bytes);
  } else if (key == "handshake_timeout") {
    TRY_ASSIGN(auto ms, number(key, value, 86400000));
    configuration.handshake_timeout_ms = static_cast<std::uint32_t>(ms);
  } else if (key == "consumer_timeout") {
    const bool is_off = value.text() && *value.text() == "undefined";
    configuration.consumer_timeout_ms = 0;
    if (!is_off) {
      TRY_ASSIGN(auto ms, number(key, value, most_consumer_timeout_ms));
      configuration.consumer_timeout_ms = static_cast<std::uint64_t>(ms);
    }
  } else if (key == "disk_free_limit") {
    return set_disk_limit(value, configuration);
  } else if (key == "mnesia_table_loading_retry_timeout" || key == "mnesia_table_loading_timeout") {
    TRY_ASSIGN(auto ms, number(key, value, 86400000));
    configuration.wait_for_members_ms = static_cast<std::uint32_t>(ms);
  } else {
    auto is_of_listeners = set_listener_term(key, value, configuration.listeners);
    if (!is_of_listeners)
      return base::fail(is_of_listeners.error().code, key + ": " + is_of_listeners.error().text);
    if (!*is_of_listeners) configuration.unused_keys.push_back("rabbit." + key);
  }
  return {};
}

base::Result<> apply_management(const std::string& key, const Term& value,
                                Configuration& configuration) {
  if (key != "listener" && key != "tcp_config" && key != "ssl_config") {
    configuration.unused_keys.push_back("rabbitmq_management." + key);
    return {};
  }
  ListenerConfig& listeners = configuration.listeners;
  const Term* ssl = codec::erlang::find_pair(value, "ssl");
  const bool is_tls = key == "ssl_config" || (ssl && ssl->is_atom("true"));
  if (is_tls) listeners.management_tls = {{{}, 15671}};
  if (!is_tls) listeners.has_management_tcp = true;
  ListenAddress& address =
      is_tls ? listeners.management_tls.front() : configuration.management;
  if (const Term* found = codec::erlang::find_pair(value, "port")) {
    TRY_ASSIGN(address.port, port("rabbitmq_management listener port", *found));
  }
  if (const Term* found = codec::erlang::find_pair(value, "ip"); found && found->text())
    address.address = *found->text() == "::" ? "" : *found->text();
  const Term* options = key == "ssl_config" ? &value : codec::erlang::find_pair(value, "ssl_opts");
  if (is_tls && options) TRY(set_tls_options(*options, listeners.management_tls_options));
  return {};
}

base::Result<> apply(const std::string& app, const std::string& key, const Term& value,
                     Configuration& configuration) {
  if (app == "rabbit") return apply_rabbit(key, value, configuration);
  if (app == "rabbitmq_management") return apply_management(key, value, configuration);
  if (app == "kernel" && key == "inet_dist_listen_min") {
    TRY_ASSIGN(configuration.dist_port, port(key, value));
  }
  return {};
}

}  // namespace

base::Result<> apply_settings(const std::vector<codec::erlang::AppSetting>& settings,
                              Configuration& configuration) {
  for (const auto& setting : settings) {
    auto applied = apply(setting.app, setting.key, setting.value, configuration);
    if (!applied)
      return base::fail(
          base::ErrorCode::invalid_argument,
          fmt::format("start argument -{} {}: {}", setting.app, setting.key, applied.error().text));
  }
  return {};
}

base::Result<> read_classic_config(std::string_view text, std::string_view file_name,
                                   Configuration& configuration) {
  auto failed = [file_name](std::string_view what) {
    return base::fail(base::ErrorCode::invalid_argument, fmt::format("{}: {}", file_name, what));
  };
  auto terms = codec::erlang::parse_terms(text);
  if (!terms) return failed(terms.error().text);
  if (terms->empty()) return {};
  const auto* apps = terms->size() == 1 ? terms->front().items() : nullptr;
  if (!apps) return failed("expected one list of applications, ended by a full stop");
  for (const Term& app : *apps) {
    const auto* pair = app.as<Tuple>();
    bool is_pair = pair && pair->items.size() == 2 && pair->items[0].text();
    const auto* settings = is_pair ? pair->items[1].items() : nullptr;
    if (!settings) return failed("expected {application, [settings]}");
    for (const Term& setting : *settings) {
      const auto* entry = setting.as<Tuple>();
      if (!entry || entry->items.size() != 2 || !entry->items[0].text())
        return failed("expected {key, value}");
      auto applied =
          apply(*pair->items[0].text(), *entry->items[0].text(), entry->items[1], configuration);
      if (!applied) return failed(applied.error().text);
    }
  }
  return {};
}

}  // namespace warren::server
