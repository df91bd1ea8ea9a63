#include "server/configuration.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include "server/conf_values.h"

namespace warren::server {
namespace {

using Setter = base::Result<> (*)(Configuration&, std::string_view value);

template <auto Member>
base::Result<> set_text(Configuration& configuration, std::string_view value) {
  configuration.*Member = std::string(value);
  return {};
}
template <auto Member, std::uint64_t Lowest, std::uint64_t Highest>
base::Result<> set_number(Configuration& configuration, std::string_view value) {
  TRY_ASSIGN(auto number, parse_number(value, Lowest, Highest));
  configuration.*Member = static_cast<std::remove_cvref_t<decltype(configuration.*Member)>>(number);
  return {};
}

base::Result<> set_channel_max(Configuration& configuration, std::string_view value) {
  if (value == "infinity") value = "0";
  return set_number<&Configuration::channel_max, 0, 65535>(configuration, value);
}
base::Result<> set_dist_port(Configuration& configuration, std::string_view value) {
  TRY_ASSIGN(auto number, parse_number(value, 1, 65535));
  configuration.dist_port = static_cast<std::uint16_t>(number);
  return {};
}
base::Result<> set_management_port(Configuration& configuration, std::string_view value) {
  TRY_ASSIGN(auto number, parse_number(value, 1, 65535));
  configuration.management.port = static_cast<std::uint16_t>(number);
  configuration.listeners.has_management_tcp = true;
  return {};
}
base::Result<> set_management_address(Configuration& configuration, std::string_view value) {
  configuration.management.address = value == "::" ? std::string_view() : value;
  return {};
}
base::Result<> set_level(Configuration& configuration, std::string_view value) {
  TRY_ASSIGN(configuration.log_level, parse_log_level(value));
  return {};
}
base::Result<> set_log_file(Configuration& configuration, std::string_view value) {
  configuration.log_file = value == "false" ? std::string_view() : value;
  return {};
}
base::Result<> set_console(Configuration& configuration, std::string_view value) {
  TRY_ASSIGN(configuration.log_to_console, parse_bool(value));
  return {};
}
base::Result<> set_memory_share(Configuration& configuration, std::string_view value) {
  TRY_ASSIGN(configuration.memory_watermark, parse_share(value));
  configuration.memory_watermark_bytes = 0;
  return {};
}
base::Result<> set_memory_bytes(Configuration& configuration, std::string_view value) {
  auto size = parse_size(value);
  if (!size)
    return base::fail(base::ErrorCode::invalid_argument, fmt::format("'{}' is not a size", value));
  configuration.memory_watermark_bytes = *size;
  return {};
}
base::Result<> set_disk_bytes(Configuration& configuration, std::string_view value) {
  auto size = parse_size(value);
  if (!size)
    return base::fail(base::ErrorCode::invalid_argument, fmt::format("'{}' is not a size", value));
  configuration.disk_free_limit = *size;
  configuration.disk_free_share = 0;
  return {};
}
base::Result<> set_disk_share(Configuration& configuration, std::string_view value) {
  TRY_ASSIGN(configuration.disk_free_share, parse_factor(value));
  return {};
}
base::Result<> set_message_memory(Configuration& configuration, std::string_view value) {
  auto size = parse_size(value);
  if (!size || *size == 0)
    return base::fail(base::ErrorCode::invalid_argument, fmt::format("'{}' is not a size", value));
  configuration.message_memory = *size;
  return {};
}
base::Result<> set_no_listeners(Configuration& configuration, std::string_view value) {
  if (value != "none")
    return base::fail(base::ErrorCode::invalid_argument,
                      fmt::format("expected none, not '{}'", value));
  configuration.amqp_listeners.emplace();
  return {};
}
base::Result<> set_loopback_users(Configuration& configuration, std::string_view value) {
  configuration.loopback_users.clear();
  if (value != "none") configuration.loopback_users.insert(std::string(value));
  return {};
}

template <std::size_t Which>
base::Result<> set_default_permission(Configuration& configuration, std::string_view value) {
  configuration.default_permissions[Which] = value;
  return {};
}
/// Named ones stand instead of the tag that the default user has else.
base::Result<> set_default_tag(Configuration& configuration, std::string_view tag,
                               std::string_view value) {
  TRY_ASSIGN(const bool is_wanted, parse_bool(value));
  if (!configuration.default_user_tags) configuration.default_user_tags.emplace();
  std::erase(*configuration.default_user_tags, tag);
  if (is_wanted) configuration.default_user_tags->emplace_back(tag);
  return {};
}

const std::map<std::string_view, Setter>& setters() {
  using C = Configuration;
  static const std::map<std::string_view, Setter> table = {
      {"channel_max", set_channel_max},
      {"cluster_name", set_text<&C::cluster_name>},
      {"consumer_timeout", set_number<&C::consumer_timeout_ms, 1, most_consumer_timeout_ms>},
      {"default_pass", set_text<&C::default_pass>},
      {"default_permissions.configure", set_default_permission<0>},
      {"default_permissions.read", set_default_permission<2>},
      {"default_permissions.write", set_default_permission<1>},
      {"default_user", set_text<&C::default_user>},
      {"default_vhost", set_text<&C::default_vhost>},
      {"disk_free_limit.absolute", set_disk_bytes},
      {"disk_free_limit.relative", set_disk_share},
      {"distribution.listener.port_range.min", set_dist_port},
      {"frame_max", set_number<&C::frame_max, 0, 0x7FFFFFFF>},
      {"handshake_timeout", set_number<&C::handshake_timeout_ms, 1, 86400000>},
      {"heartbeat", set_number<&C::heartbeat_s, 0, 65535>},
      {"listeners.tcp", set_no_listeners},
      {"log.console", set_console},
      {"log.console.level", set_level},
      {"log.default.level", set_level},
      {"log.file", set_log_file},
      {"log.file.level", set_level},
      {"loopback_users", set_loopback_users},
      {"management.listener.ip", set_management_address},
      {"management.listener.port", set_management_port},
      {"management.tcp.ip", set_management_address},
      {"management.tcp.port", set_management_port},
      {"max_message_size", set_number<&C::max_message_size, 0, 536870912>},
      {"message_memory", set_message_memory},
      {"mnesia_table_loading_retry_timeout", set_number<&C::wait_for_members_ms, 1, 86400000>},
      {"vm_memory_high_watermark.absolute", set_memory_bytes},
      {"vm_memory_high_watermark.relative", set_memory_share},
  };
  return table;
}

/// Keys of RabbitMQ without an effect here; one that ends in a dot stands for all below it.
constexpr std::string_view unused[] = {
    "amqp1_0.",
    "anonymous_login_",
    "auth_cache.",
    "auth_http.",
    "auth_ldap.",
    "auth_oauth2.",
    "background_gc_",
    "channel_max_per_node",
    "channel_operation_timeout",
    "classic_queue.",
    "cluster_exchange_limit",
    "cluster_formation.",
    "cluster_keepalive_interval",
    "cluster_partition_handling",
    "cluster_queue_limit",
    "cluster_tags.",
    "collect_statistics",
    "consumer_max_per_channel",
    "credential_validator.",
    "default_limits.",
    "default_policies.",
    "default_queue_type",
    "default_users.",
    "definitions.",
    "deprecated_features.",
    "distribution.",
    "event_exchange.",
    "federation.",
    "halt_on_upgrade_failure",
    "initial_frame_max",
    "kernel.",
    "link_max_per_session",
    "load_definitions",
    "log.",
    "management.",
    "management_agent.",
    "max_channels_per_connection",
    "message_interceptors.",
    "message_store_shutdown_timeout",
    "metadata_store.",
    "mirroring_",
    "mnesia_table_loading_",
    "motd_file",
    "mqtt.",
    "msg_store_",
    "net_ticktime",
    "node_tags.",
    "num_acceptors.",
    "password_hashing_module",
    "product.",
    "prometheus.",
    "queue_index_",
    "queue_leader_locator",
    "queue_master_locator",
    "queue_types.",
    "quorum_",
    "raft.",
    "reverse_dns_lookups",
    "runtime_parameters.",
    "session_max_per_connection",
    "shovel.",
    "ssl_",
    "stomp.",
    "stream.",
    "tcp_listen_options.",
    "total_memory_available_override_value",
    "tracing.",
    "trust_store.",
    "vhost_max",
    "vhost_restart_strategy",
    "vm_memory_",
    "web_mqtt.",
    "web_stomp.",
};

bool is_known_unused(std::string_view key) {
  for (std::string_view prefix : unused)
    if (key.starts_with(prefix)) return true;
  return false;
}

base::Result<> apply_conf_key(std::string_view key, std::string_view value,
                              Configuration& configuration) {
  if (auto setter = setters().find(key); setter != setters().end())
    return setter->second(configuration, value);
  if (key.starts_with("listeners.tcp.")) {
    TRY_ASSIGN(auto address, parse_listen_address(value));
    if (!configuration.amqp_listeners) configuration.amqp_listeners.emplace();
    configuration.amqp_listeners->push_back(std::move(address));
    return {};
  }
  if (key.starts_with("auth_backends."))
    return set_auth_backend(key.substr(14), value, configuration);
  if (key.starts_with("auth_mechanisms.")) {
    configuration.listeners.auth_mechanisms.emplace_back(value);
    return {};
  }
  TRY_ASSIGN(bool is_of_listeners, set_listener_option(key, value, configuration.listeners));
  if (is_of_listeners) return {};
  if (key.starts_with("default_user_tags."))
    return set_default_tag(configuration, key.substr(18), value);
  if (key.starts_with("loopback_users.")) {
    TRY_ASSIGN(bool is_listed, parse_bool(value));
    std::string user(key.substr(15));
    if (is_listed)
      configuration.loopback_users.insert(user);
    else
      configuration.loopback_users.erase(user);
    return {};
  }
  if (key.starts_with("log.") && key.ends_with(".level")) {
    TRY(parse_log_level(value));
    return {};
  }
  if (!is_known_unused(key))
    return base::fail(base::ErrorCode::invalid_argument,
                      fmt::format("there is no setting named '{}'", key));
  configuration.unused_keys.emplace_back(key);
  return {};
}

}  // namespace

base::Result<> read_conf(std::string_view text, std::string_view file_name,
                         Configuration& configuration) {
  std::size_t number = 0;
  // Lists of one file replace those of a file before it, and add up within the file.
  auto earlier = std::exchange(configuration.amqp_listeners, std::nullopt);
  auto earlier_tls = std::exchange(configuration.listeners.amqp_tls, {});
  auto earlier_mechanisms = std::exchange(configuration.listeners.auth_mechanisms, {});
  auto earlier_backends = std::exchange(configuration.auth_backends, {});
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    auto failed = [&](std::string_view what) {
      return base::fail(base::ErrorCode::invalid_argument,
                        fmt::format("{}, line {}: {}", file_name, number, what));
    };
    auto equals = line.find('=');
    if (equals == std::string_view::npos) return failed("expected 'key = value'");
    std::string_view key = trim(line.substr(0, equals));
    std::string_view value = trim(line.substr(equals + 1));
    if (auto comment = value.find(" #"); comment != std::string_view::npos)
      value = trim(value.substr(0, comment));
    if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'')
      value = value.substr(1, value.size() - 2);
    if (key.empty()) return failed("expected 'key = value'");
    if (auto applied = apply_conf_key(key, value, configuration); !applied)
      return failed(fmt::format("{}: {}", key, applied.error().text));
  }
  if (!configuration.amqp_listeners) configuration.amqp_listeners = std::move(earlier);
  ListenerConfig& listeners = configuration.listeners;
  if (listeners.amqp_tls.empty()) listeners.amqp_tls = std::move(earlier_tls);
  if (configuration.auth_backends.empty())
    configuration.auth_backends = std::move(earlier_backends);
  if (listeners.auth_mechanisms.empty()) listeners.auth_mechanisms = std::move(earlier_mechanisms);
  return {};
}

base::Result<Configuration> read_config_files(const std::vector<std::filesystem::path>& files) {
  Configuration configuration;
  for (const auto& path : files) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream)
      return base::fail(base::ErrorCode::io,
                        fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
    std::ostringstream text;
    text << stream.rdbuf();
    if (path.extension() == ".config")
      TRY(read_classic_config(text.str(), path.string(), configuration));
    else
      TRY(read_conf(text.str(), path.string(), configuration));
  }
  return configuration;
}

}  // namespace warren::server
