#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/output_buffer.h"
#include "base/time.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "session/channel.h"
#include "session/conversation.h"
#include "session/environment.h"
#include "session/errors.h"
#include "session/exclusive_queues.h"
#include "session/info.h"

namespace warren::session::amqp091 {

/// The server's side of one client connection, from the protocol header to the end: a machine
/// that is driven by bytes, by time and by what its gateway channels hear. It lives on one shard.
///
/// In each turn of its loop the owner gives it what happened (`feed`, `tick`, the gateway's
/// events...), calls `flush_turn`, takes all of `output()` and then looks at `wants_input()`,
/// `wants_close()`, `deadline()` and `is_finished()`.
class Connection {
 public:
  /// How the socket is to be closed.
  enum class CloseStyle : std::uint8_t {
    none,   ///< not yet
    reset,  ///< after the output is sent, with linger 0, as clients of RabbitMQ know it
  };

  Connection(Environment& environment, PeerInfo peer, catalog::ConnectionId id, base::Time now);
  /// Closes the gateway channels. Exclusive queues that are not deleted yet stay: destroy a
  /// connection before it is finished only when the node stops.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Takes all of `bytes`, whatever `wants_input` says.
  void feed(base::ByteView bytes, base::Time now);
  /// Where the octets that come next belong, for who reads a large body to its place; else empty.
  /// To be used at once.
  std::span<char> room() const;
  /// So many were put there; what follows them is to be fed.
  void note_filled(std::size_t octets);
  /// The socket is gone. Closes the channels and deletes the exclusive queues; the connection is
  /// finished when that is answered. Safe to call more than once.
  void on_peer_closed(base::Time now);
  /// To be called when `deadline` has come; earlier calls do nothing.
  void tick(base::Time now);
  base::Time deadline() const;
  /// False while the owner should not read from the socket.
  bool wants_input() const;

  /// Closes with 320 "CONNECTION_FORCED - <reason>".
  void shutdown(std::string_view reason, base::Time now);
  /// An alarm is on, for the environment's `alarm_reason`: the connection stops being read once it
  /// publishes. New connections have to be told too.
  void block();
  void unblock();

  /// Writes what was gathered in the turn: confirms, and the steps of closing.
  void flush_turn();
  /// The owner takes everything and clears it after each `flush_turn`.
  base::OutputBuffer& output() { return talk_.output; }
  /// `waker` is called when the gateway has told one of the channels something, at most once
  /// until the next `flush_turn`.
  void set_waker(std::function<void()> waker) { talk_.on_event = std::move(waker); }
  /// To be called after each attempt to send: `pending` octets of output taken earlier still wait
  /// for the socket. While that is little, consumers are granted credit, and methods that waited
  /// go on: call `flush_turn` again when `output` is not empty afterwards.
  void on_output_drained(std::size_t pending);

  CloseStyle wants_close() const { return close_style_; }
  /// Nothing is under way any more; the owner may destroy it.
  bool is_finished() const;
  /// The peer has been let in: from connection.open on.
  bool is_admitted() const { return is_admitted_; }

  ConnectionInfo info() const;
  /// In order of their numbers.
  std::vector<ChannelInfo> channels() const;

 private:
  enum class State : std::uint8_t {
    header,    ///< waits for the protocol header
    starting,  ///< sent start
    tuning,    ///< sent tune
    opening,   ///< got tune-ok
    running,
    draining,  ///< got close; channels finish what they were told
    clearing,  ///< deletes the exclusive queues before close-ok
    closing,   ///< sent close, waits for close-ok
    closed,    ///< sent close-ok, waits for the peer to go
    silent,    ///< ignores the peer until the reset
    gone,      ///< reset wanted, or the peer has gone
  };
  enum class Alarm : std::uint8_t { none, blocking, blocked };

  bool is_ending() const { return state_ >= State::draining; }
  bool is_blocked() const { return alarm_ == Alarm::blocked && !is_ending(); }
  /// What comes waits in `held_`: what follows a login that somebody is asked about; or, while
  /// blocked, the content of the publish that began, and all behind it.
  bool is_held() const { return is_blocked() || is_asking_; }
  void end_asking();
  void read_held();
  void read_header(base::ByteView& bytes);
  void read_frames(base::ByteView bytes);
  void on_frame(const codec::amqp091::Frame& frame);
  void on_channel_frame(const codec::amqp091::Frame& frame);
  void on_control_frame(const codec::amqp091::Frame& frame);
  void on_control_method(const codec::amqp091::Method& method);
  void on_start_ok(const codec::amqp091::ConnectionStartOk& start_ok);
  void on_tune_ok(const codec::amqp091::ConnectionTuneOk& tune_ok);
  void on_open(const codec::amqp091::ConnectionOpen& open);
  void on_running_method(const codec::amqp091::Method& method);
  void on_ending_method(const codec::amqp091::Method& method);
  Channel* enter_channel(std::uint16_t number);
  void leave_channel();
  void open_channel(const codec::amqp091::Frame& frame);
  void send_start(codec::amqp091::ProtocolVersion version);
  base::Result<broker::LoginRequest> read_login(
      const codec::amqp091::ConnectionStartOk& start_ok) const;
  void on_login(base::Result<broker::Login> login);
  void refuse_login(std::string_view mechanism, std::string_view why);

  void fail(const Failure& failure);
  void fail_handshake(std::string_view why);
  void close_channels();
  void continue_closing();
  void go_silent();
  void reset();
  void check_timeouts();
  void watch_deliveries();
  void check_heartbeat();
  void note_progress();
  bool has_missed_heartbeats();
  void start_blocking();
  bool are_channels_idle() const;
  base::Result<> check_room(const std::string& vhost) const;
  using Channels = std::map<std::uint16_t, std::unique_ptr<Channel>>;
  Channels::iterator forget_channel(Channels::iterator channel);
  void stop_counting();

  Conversation talk_;
  State state_ = State::header;
  Alarm alarm_ = Alarm::none;
  CloseStyle close_style_ = CloseStyle::none;
  bool is_admitted_ = false;
  bool is_asking_ = false;   ///< who the user is, or whether it may come in
  bool is_counted_ = false;  ///< in the environment's client_limits, as its channels are
  bool missed_one_check_ = false;
  std::uint16_t entered_number_ = 0;
  /// The channel that the last frame was for, while frames are read.
  Channel* entered_ = nullptr;
  /// What can't be read yet: the beginning of the protocol's header; later see `is_held`.
  base::Bytes held_;
  base::Time now_;
  base::Time state_deadline_ = base::never;
  base::Time next_send_check_ = base::never;
  base::Time next_receive_check_ = base::never;
  base::Time next_timeout_check_ = base::never;  ///< of deliveries that are to be settled
  std::optional<std::uint64_t> sent_at_check_;
  std::uint64_t received_at_check_ = 0;
  std::uint64_t output_gone_ = 0;            ///< octets that the socket has taken
  base::Time stall_deadline_ = base::never;  ///< set while output waits for the peer
  codec::amqp091::FrameParser parser_;
  Channels channels_;
  std::vector<std::uint16_t> left_channels_;  ///< closed and not opened again; the latest
  ConnectionFacts info_;
  /// Encoded, for only listings want them: as a table they take several times as much memory.
  base::Bytes client_properties_;
};

}  // namespace warren::session::amqp091
