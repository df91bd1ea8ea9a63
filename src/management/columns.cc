#include "management/columns.h"

#include <map>

namespace warren::management {
namespace {

constexpr std::string_view queue_columns[] = {
    "arguments", "auto_delete", "consumer_capacity", "consumer_utilisation", "consumers",
    "disk_reads", "disk_writes", "durable", "exclusive", "exclusive_consumer_pid",
    "exclusive_consumer_tag", "head_message_timestamp", "leader", "members", "memory",
    "message_bytes", "message_bytes_persistent", "message_bytes_ram", "message_bytes_ready",
    "message_bytes_unacknowledged", "messages", "messages_persistent", "messages_ram",
    "messages_ready", "messages_ready_ram", "messages_unacknowledged",
    "messages_unacknowledged_ram", "name", "online", "owner_pid", "pid", "policy", "slave_pids",
    "state", "synchronised_slave_pids", "type"};
constexpr std::string_view queue_defaults[] = {"name", "messages"};

constexpr std::string_view exchange_columns[] = {"arguments", "auto_delete", "durable",
                                                 "internal",  "name",        "policy", "type"};
constexpr std::string_view exchange_defaults[] = {"name", "type"};

constexpr std::string_view binding_columns[] = {"arguments",   "destination_kind",
                                                "destination_name", "routing_key",
                                                "source_kind", "source_name"};
constexpr std::string_view binding_defaults[] = {"source_name",      "source_kind",
                                                 "destination_name", "destination_kind",
                                                 "routing_key",      "arguments"};

constexpr std::string_view connection_columns[] = {
    "auth_mechanism", "channel_max", "channels", "client_properties", "connected_at", "frame_max",
    "host", "name", "peer_cert_issuer", "peer_cert_subject", "peer_cert_validity", "peer_host",
    "peer_port", "pid", "port", "protocol", "recv_cnt", "recv_oct", "send_cnt", "send_oct",
    "send_pend", "ssl", "ssl_cipher", "ssl_hash", "ssl_key_exchange", "ssl_protocol", "state",
    "timeout", "user", "vhost"};
constexpr std::string_view connection_defaults[] = {"user", "peer_host", "peer_port", "state"};

constexpr std::string_view channel_columns[] = {
    "acks_uncommitted", "confirm", "connection", "consumer_count", "global_prefetch_count",
    "messages_unacknowledged", "messages_uncommitted", "messages_unconfirmed", "name", "number",
    "pid", "prefetch_count", "transactional", "user", "vhost"};
constexpr std::string_view channel_defaults[] = {"pid", "user", "consumer_count",
                                                 "messages_unacknowledged"};

constexpr std::string_view consumer_columns[] = {
    "ack_required",   "active",     "arguments",  "channel_pid",
    "consumer_tag",   "prefetch_count", "queue_name"};
constexpr std::string_view consumer_defaults[] = {"queue_name",   "channel_pid",
                                                  "consumer_tag", "ack_required",
                                                  "prefetch_count", "active", "arguments"};

constexpr std::string_view vhost_columns[] = {"cluster_state", "description", "name", "tags",
                                              "tracing"};
constexpr std::string_view vhost_defaults[] = {"name"};

}  // namespace

const Columns* find_columns(std::string_view command) {
  static const std::map<std::string_view, Columns> all = {
      {"list_queues", {queue_columns, queue_defaults}},
      {"list_exchanges", {exchange_columns, exchange_defaults}},
      {"list_bindings", {binding_columns, binding_defaults}},
      {"list_connections", {connection_columns, connection_defaults}},
      {"list_channels", {channel_columns, channel_defaults}},
      {"list_consumers", {consumer_columns, consumer_defaults}},
      {"list_vhosts", {vhost_columns, vhost_defaults}}};
  const auto found = all.find(command);
  return found == all.end() ? nullptr : &found->second;
}

}  // namespace warren::management
