#pragma once

#include <cstdint>
#include <string>

#include "base/field_value.h"
#include "broker/channel.h"
#include "catalog/names.h"
#include "session/environment.h"

/// What listings show of connections and channels. Names are those of the listings' columns.
namespace warren::session::amqp091 {

/// What a connection keeps for the listings.
struct ConnectionFacts {
  std::string auth_mechanism;     ///< empty until the client has chosen
  std::uint16_t timeout_s = 0;    ///< the heartbeat that was agreed
  std::uint16_t channel_max = 0;  ///< 0 until it is agreed
  std::uint64_t recv_oct = 0;
  std::uint64_t recv_cnt = 0;
  std::uint64_t send_oct = 0;
  std::uint64_t send_cnt = 0;
  base::Time connected_at{};
};

struct ConnectionInfo : ConnectionFacts {
  catalog::ConnectionId id;
  PeerInfo peer;
  std::string name;                ///< "10.0.0.1:1234 -> 10.0.0.2:5672"
  std::string user_provided_name;  ///< the client property connection_name
  base::FieldTable client_properties;
  std::string state;  ///< starting tuning opening running flow blocking blocked closing closed
  std::string protocol = "AMQP 0-9-1";
  std::string user;
  std::string vhost;
  std::uint32_t frame_max = 0;
  std::uint64_t send_pend = 0;
  std::uint64_t channels = 0;
};

struct ChannelInfo {
  broker::ChannelId id;
  catalog::ConnectionId connection;
  std::string name;  ///< the connection's name and " (1)"
  std::uint16_t number = 0;
  std::string user;
  std::string vhost;
  bool transactional = false;
  bool confirm = false;
  std::uint64_t consumer_count = 0;
  std::uint64_t messages_unacknowledged = 0;
  std::uint64_t messages_uncommitted = 0;
  std::uint64_t acks_uncommitted = 0;
  std::uint64_t messages_unconfirmed = 0;
  std::uint16_t prefetch_count = 0;
  std::uint16_t global_prefetch_count = 0;
  std::string state;  ///< running, flow or closing
};

}  // namespace warren::session::amqp091
