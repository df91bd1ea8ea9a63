#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/output_buffer.h"
#include "broker/channel.h"
#include "session/environment.h"
#include "session/errors.h"
#include "session/settlements.h"

namespace warren::session::amqp091 {

class ExclusiveQueues;

/// What a connection and its channels share. Owned by the connection.
struct Conversation {
  Conversation(Environment& node, catalog::ConnectionId id, PeerInfo client);
  ~Conversation();

  Environment& environment;
  catalog::ConnectionId connection;
  PeerInfo peer;
  broker::Login login;  ///< empty until the user has logged in
  std::string vhost;
  std::uint32_t frame_max = 0;
  bool notifies_consumer_cancel = false;  ///< client capability consumer_cancel_notify
  bool notifies_blocked = false;          ///< client capability connection.blocked
  bool closes_on_login_failure = false;   ///< client capability authentication_failure_close
  /// Something was delivered that has to be settled in time.
  bool has_unsettled = false;
  /// Some method waits for the output to drain.
  bool has_stalled = false;
  bool has_event = false;  ///< `on_event` was called in this turn
  std::unique_ptr<ExclusiveQueues> exclusive_queues;  ///< made with the first of them

  /// Frames for the peer; the connection's owner takes them after each turn.
  base::OutputBuffer output;
  /// What channels settle while their frames are read.
  Settlements settlements;
  /// A channel sets it when the whole connection must end; the first one counts.
  std::unique_ptr<const Failure> failure;
  /// Octets of methods that wait in channels' inboxes.
  std::size_t inbox_bytes = 0;
  /// Channels whose publishes are congested.
  std::size_t congested_channels = 0;
  /// Octets of output that the socket has not taken yet.
  std::size_t pending_output = 0;
  /// Numbers of channels with confirms that gathered, and with consumers that used up their
  /// credit; perhaps with some that have closed since.
  std::vector<std::uint16_t> confirming;
  std::vector<std::uint16_t> granting;

  /// Called when something comes from the gateway, once until the end of the turn.
  std::function<void()> on_event;
  void note_event() {
    if (has_event) return;
    has_event = true;
    if (on_event) on_event();
  }

  /// "10.0.0.1:1234 -> 10.0.0.2:5672", made anew each time: few ask for it.
  std::string name() const;

  broker::RequestId last_request;
  broker::RequestId next_request() { return last_request = last_request.next(); }
  bool is_output_full() const {
    return pending_output + output.size() > environment.limits.output_bytes;
  }
};

}  // namespace warren::session::amqp091
