#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "broker/channel.h"
#include "broker/exchange_declaration.h"
#include "broker/permission.h"
#include "broker/router.h"
#include "session/client_limits.h"
#include "session/firehose.h"

/// What a session asks of the node that it runs on.
namespace warren::session::amqp091 {

struct Limits {
  std::uint16_t channel_max = 2047;  ///< 0: what the client asks for
  std::uint32_t frame_max = 131072;  ///< 0: what the client asks for
  std::uint16_t heartbeat_s = 60;
  std::uint64_t max_message_size = 134217728;
  /// Connections that may be open at a time; 0: no limit.
  std::uint32_t connection_max = 0;
  /// From the connection's first moment to connection.open.
  base::Duration handshake_timeout = std::chrono::seconds(10);
  /// How long a client that we don't trust waits for its connection to be reset.
  base::Duration silent_close = std::chrono::seconds(3);
  /// How long a closed connection waits for the peer's close-ok or end of stream.
  base::Duration closing_timeout = std::chrono::seconds(10);
  /// How long output may wait for a client that takes none of it. Clients that work through
  /// what they have before they read on are slow in a good cause.
  base::Duration stall_timeout = std::chrono::minutes(30);
  /// How long a client may keep a delivery that it has to settle; zero: for ever. It is found out
  /// up to a thirtieth later, or a second.
  base::Duration consumer_timeout = std::chrono::minutes(30);
  /// Methods of channels that wait for an answer; more stop the reading.
  std::size_t inbox_bytes = 1024 * 1024;
  /// Output that waits for the socket; more holds up deliveries and
  /// whatever else may write much.
  std::size_t output_bytes = 1024 * 1024;
  /// What a transaction's publishes take; more is refused.
  std::size_t transaction_bytes = 256 * 1024 * 1024;
  /// Deliveries that may be under way to a consumer at first, and once it turned out that its
  /// messages are small.
  std::uint32_t first_credit = 64;
  std::uint32_t most_credit = 2048;
};

/// Lives longer than every Connection; all of it is used on the connection's own shard.
struct Environment {
  broker::Gateway& gateway;
  broker::Router& router;
  broker::Authorizer& authorizer;
  /// That many bytes from a secure source, for the names of server-named queues and consumers.
  std::function<std::string(std::size_t)> random_bytes;
  Limits limits = {};
  /// Users who may log in only from this machine.
  std::vector<std::string> loopback_users = {"guest"};
  /// In the order of the offer. EXTERNAL is offered only to clients over TLS.
  std::vector<std::string> mechanisms = {"PLAIN", "AMQPLAIN"};
  broker::ExchangeTypes exchange_types = broker::ExchangeTypes();
  /// Clients judge by these two what the server can do.
  std::string product = "RabbitMQ";
  std::string version = "3.10.8";
  std::string platform = "Warren";
  std::string copyright = "Copyright (c) the authors of Warren";
  std::string information = "Warren, a broker for clients of RabbitMQ";
  /// Why connections are blocked, for clients that want to know: "low on memory".
  std::string alarm_reason = {};
  /// Kept by the connections themselves: how many are open, and whose.
  std::uint32_t open_connections = 0;
  ClientLimits client_limits{gateway.catalog()};
  Firehose firehose{gateway, router};
};

/// What TLS tells of a client; texts as in the listings' columns.
struct TlsPeer {
  std::string ssl_protocol;
  std::string ssl_key_exchange;
  std::string ssl_cipher;
  std::string ssl_hash;
  bool has_certificate = false;
  std::string peer_cert_subject;
  std::string peer_cert_issuer;
  std::string peer_cert_validity;
  std::string certificate_user;  ///< whom the certificate names; empty: nobody
};

struct PeerInfo {
  std::string peer_host;
  std::uint16_t peer_port = 0;
  std::string local_host;
  std::uint16_t local_port = 0;
  bool is_loopback = false;
  std::shared_ptr<const TlsPeer> tls = {};  ///< null: no TLS
};

}  // namespace warren::session::amqp091
