#include "session/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {

/// So many closed channels are remembered.
constexpr std::size_t max_left_channels = 64;

base::Duration interval_of(const ConnectionFacts& info) {
  return std::chrono::seconds(info.timeout_s);
}

/// On the grid when this one is a little late, so that lateness does not add up; but never so soon
/// that there is no time to hear anything.
base::Time next_check(base::Time planned, base::Time now, base::Duration step) {
  return now - planned < step / 2 ? planned + step : now + step;
}

}  // namespace

Connection::Connection(Environment& environment, PeerInfo peer, catalog::ConnectionId id,
                       base::Time now)
    : talk_(environment, id, std::move(peer)),
      now_(now),
      state_deadline_(now + environment.limits.handshake_timeout) {
  info_.connected_at = now;
}

Connection::~Connection() {
  talk_.environment.authorizer.forget(this);
  if (is_admitted_) --talk_.environment.open_connections;
  stop_counting();
}

void Connection::feed(base::ByteView bytes, base::Time now) {
  now_ = now;
  info_.recv_oct += bytes.size();
  ++info_.recv_cnt;
  if (state_ == State::header) read_header(bytes);
  if (state_ != State::header) read_frames(bytes);
}

std::span<char> Connection::room() const {
  const std::size_t missing = parser_.missing_of_body();
  if (missing == 0 || state_ != State::running || is_blocked()) return {};
  const auto channel = channels_.find(parser_.body_channel());
  if (channel == channels_.end()) return {};
  const std::span<char> room = channel->second->room();
  return room.first(std::min(room.size(), missing));
}

void Connection::note_filled(std::size_t octets) {
  info_.recv_oct += octets;
  parser_.pass_over(octets);
  channels_.find(parser_.body_channel())->second->note_filled(octets);
}

void Connection::read_header(base::ByteView& bytes) {
  const std::size_t taken = std::min(protocol_header_size - held_.size(), bytes.size());
  held_.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  if (held_.size() < protocol_header_size) return;
  if (const auto version = read_protocol_header(std::exchange(held_, {}))) {
    send_start(*version);
    state_ = State::starting;
    return;
  }
  base::log_error("connection {}: bad protocol header", talk_.name());
  talk_.output.text().append(protocol_header);
  reset();
}

void Connection::read_frames(base::ByteView bytes) {
  if (state_ >= State::silent) return;
  if (is_held()) {
    held_.append(bytes);
    return;
  }
  parser_.feed(bytes);
  Frame frame;
  while (state_ < State::silent && !is_held() && parser_.next(frame)) {
    on_frame(frame);
    if (talk_.failure) fail(*std::exchange(talk_.failure, nullptr));
  }
  leave_channel();
  if (is_held()) held_.append(parser_.take_rest());
  if (!parser_.error() || state_ >= State::silent) return;
  // The stream can't be understood any more, so a close-ok can't be waited for.
  fail({ReplyCode::frame_error, parser_.error()->text(), {}, false});
  go_silent();
}

void Connection::on_frame(const Frame& frame) {
  if (state_ == State::running && frame.channel != 0 && frame.type != frame_heartbeat)
    return on_channel_frame(frame);
  if (frame.channel == 0 && frame.type == frame_heartbeat) return;
  if (is_ending()) {
    if (frame.channel == 0 && frame.type == frame_method) on_control_frame(frame);
    return;
  }
  if (frame.channel != 0 || frame.type != frame_method)
    return fail({ReplyCode::unexpected_frame, describe_frame(frame), {}, false});
  on_control_frame(frame);
}

void Connection::on_channel_frame(const Frame& frame) {
  Channel* channel = enter_channel(frame.channel);
  if (channel == nullptr) return open_channel(frame);
  channel->on_frame(frame);
  const bool may_block = alarm_ == Alarm::blocking && frame.type == frame_method;
  if (may_block && peek_method(frame.payload) == BasicPublish::ids) start_blocking();
  if (!channel->is_closed()) return;
  entered_ = nullptr;
  forget_channel(channels_.find(frame.channel));
}

Connection::Channels::iterator Connection::forget_channel(Channels::iterator channel) {
  talk_.environment.client_limits.remove_channels(talk_.login.user, 1);
  if (left_channels_.size() == max_left_channels) left_channels_.erase(left_channels_.begin());
  left_channels_.push_back(channel->first);
  return channels_.erase(channel);
}

/// Frames come in runs for one channel; null when there is none of that number.
Channel* Connection::enter_channel(std::uint16_t number) {
  if (entered_ != nullptr && entered_number_ == number) return entered_;
  leave_channel();
  const auto found = channels_.find(number);
  if (found == channels_.end()) return nullptr;
  if (found->second->is_closed()) {
    forget_channel(found);
    return nullptr;
  }
  entered_number_ = number;
  return entered_ = found->second.get();
}

void Connection::leave_channel() {
  if (Channel* left = std::exchange(entered_, nullptr)) left->on_frames_end();
}

void Connection::open_channel(const Frame& frame) {
  if (frame.type != frame_method)
    return fail({ReplyCode::unexpected_frame,
                 "expected method frame, got non method frame instead",
                 {},
                 false});
  const MethodIds ids = peek_method(frame.payload);
  if (method_name(ids).empty())
    return fail({ReplyCode::command_invalid, "unimplemented method", ids, true});
  // Some clients close a channel while others of their threads settle what it has brought.
  const bool is_settlement =
      ids == BasicAck::ids || ids == BasicNack::ids || ids == BasicReject::ids;
  if (is_settlement && std::ranges::find(left_channels_, frame.channel) != left_channels_.end())
    return;
  if (const auto method = decode_method(frame.payload); !method)
    return fail(undecodable(method.error(), frame.payload));
  if (ids != ChannelOpen::ids)
    return fail({ReplyCode::channel_error, "expected 'channel.open'", ids, false});
  // Some may have closed by themselves since.
  if (channels_.size() >= info_.channel_max)
    for (auto channel = channels_.begin(); channel != channels_.end();)
      channel = channel->second->is_closed() ? forget_channel(channel) : std::next(channel);
  if (channels_.size() >= info_.channel_max)
    return fail({ReplyCode::not_allowed,
                 fmt::format("number of channels opened ({}) has reached the negotiated "
                             "channel_max ({})",
                             channels_.size(), info_.channel_max),
                 {},
                 false});
  if (auto room = talk_.environment.client_limits.check_channel(talk_.login.user); !room)
    return fail({ReplyCode::not_allowed, room.error().text, {}, false});
  channels_.emplace(frame.channel, std::make_unique<Channel>(talk_, frame.channel));
  std::erase(left_channels_, frame.channel);
  talk_.environment.client_limits.add_channel(talk_.login.user);
}

bool Connection::wants_input() const {
  if (state_ >= State::silent) return false;
  return talk_.congested_channels == 0 && !is_held() &&
         talk_.inbox_bytes <= talk_.environment.limits.inbox_bytes;
}

void Connection::start_blocking() {
  alarm_ = Alarm::blocked;
  if (talk_.notifies_blocked)
    encode_method(talk_.output.text(), 0, ConnectionBlocked{talk_.environment.alarm_reason});
}

void Connection::block() {
  if (alarm_ == Alarm::none) alarm_ = Alarm::blocking;
}

void Connection::unblock() {
  if (alarm_ == Alarm::blocked && talk_.notifies_blocked && state_ == State::running)
    encode_method(talk_.output.text(), 0, ConnectionUnblocked{});
  alarm_ = Alarm::none;
  read_held();
}

void Connection::read_held() {
  if (state_ != State::header && !held_.empty()) read_frames(std::exchange(held_, {}));
}

void Connection::flush_turn() {
  talk_.has_event = false;
  for (std::uint16_t number : talk_.confirming)
    if (const auto found = channels_.find(number); found != channels_.end())
      found->second->flush();
  talk_.confirming.clear();
  if (talk_.failure) fail(*std::exchange(talk_.failure, nullptr));
  watch_deliveries();
  continue_closing();
  if (talk_.output.empty()) return;
  info_.send_oct += talk_.output.size();
  ++info_.send_cnt;
}

void Connection::on_output_drained(std::size_t pending) {
  talk_.pending_output = pending;
  note_progress();
  if (talk_.has_stalled && !talk_.is_output_full()) {
    talk_.has_stalled = false;
    for (auto& [number, channel] : channels_) channel->resume();
  }
  if (talk_.granting.empty() || pending > talk_.environment.limits.output_bytes / 2) return;
  for (std::uint16_t number : talk_.granting)
    if (const auto found = channels_.find(number); found != channels_.end())
      found->second->grant_credit();
  talk_.granting.clear();
}

/// A peer that takes nothing for very long will not come back.
void Connection::note_progress() {
  const std::uint64_t gone = info_.send_oct - talk_.pending_output;
  if (talk_.pending_output == 0)
    stall_deadline_ = base::never;
  else if (gone != output_gone_ || stall_deadline_ == base::never)
    stall_deadline_ = now_ + talk_.environment.limits.stall_timeout;
  output_gone_ = gone;
}

void Connection::tick(base::Time now) {
  now_ = now;
  if (talk_.exclusive_queues) talk_.exclusive_queues->tick(now);
  if (now >= state_deadline_) {
    if (state_ < State::running)
      base::log_error("connection {}: no handshake in time", talk_.name());
    reset();
  }
  if (now >= stall_deadline_) {
    base::log_error("connection {}: the client has stopped reading", talk_.name());
    reset();
  }
  check_heartbeat();
  if (now >= next_timeout_check_) check_timeouts();
}

base::Time Connection::deadline() const {
  const base::Time own = std::min({state_deadline_, next_send_check_, next_receive_check_,
                                   stall_deadline_, next_timeout_check_});
  return talk_.exclusive_queues ? std::min(own, talk_.exclusive_queues->deadline()) : own;
}

/// Sees to it that somebody looks after what was delivered.
void Connection::watch_deliveries() {
  const base::Duration timeout = talk_.environment.limits.consumer_timeout;
  if (!std::exchange(talk_.has_unsettled, false) || next_timeout_check_ != base::never) return;
  if (timeout == base::Duration{} || state_ != State::running) return;
  next_timeout_check_ = now_ + std::max<base::Duration>(timeout / 30, std::chrono::seconds(1));
}

void Connection::check_timeouts() {
  next_timeout_check_ = base::never;
  for (auto& [number, channel] : channels_)
    if (channel->check_timeout(now_)) talk_.has_unsettled = true;
  watch_deliveries();
}

/// We send at the first half interval, and when one went by in silence; the peer is given up after
/// two whole ones.
void Connection::check_heartbeat() {
  if (state_ >= State::silent || info_.timeout_s == 0) return;
  if (now_ >= next_receive_check_ && has_missed_heartbeats()) return reset();
  if (now_ < next_send_check_) return;
  next_send_check_ = next_check(next_send_check_, now_, interval_of(info_) / 2);
  const std::uint64_t sent = info_.send_oct + talk_.output.size();
  if (sent == sent_at_check_.value_or(sent)) write_heartbeat(talk_.output.text());
  sent_at_check_ = info_.send_oct + talk_.output.size();
}

/// While we don't read, silence says nothing about the peer.
bool Connection::has_missed_heartbeats() {
  next_receive_check_ = next_check(next_receive_check_, now_, interval_of(info_));
  const bool is_silent = info_.recv_oct == received_at_check_ && wants_input();
  received_at_check_ = info_.recv_oct;
  if (is_silent && missed_one_check_) {
    base::log_error("connection {}: missed heartbeats from client, timeout: {}s", talk_.name(),
                    info_.timeout_s);
    return true;
  }
  missed_one_check_ = is_silent;
  return false;
}

ConnectionInfo Connection::info() const {
  ConnectionInfo info;
  static_cast<ConnectionFacts&>(info) = info_;
  info.id = talk_.connection;
  info.peer = talk_.peer;
  info.name = talk_.name();
  base::ByteReader properties(client_properties_);
  info.client_properties = base::read_field_table(properties).value_or(base::FieldTable());
  if (const base::FieldValue* given = info.client_properties.find("connection_name"))
    if (const auto* text = given->as<std::string>()) info.user_provided_name = *text;
  info.user = talk_.login.user;
  info.vhost = talk_.vhost;
  info.frame_max = talk_.frame_max;
  // What clients of RabbitMQ see until they have agreed on something else.
  if (talk_.frame_max == 0) {
    info.frame_max = frame_min_size;
    info.timeout_s = 3;
  }
  info.send_pend = talk_.pending_output;
  info.channels = channels_.size();
  switch (state_) {
    case State::header:
    case State::starting:
      info.state = "starting";
      break;
    case State::tuning:
      info.state = "tuning";
      break;
    case State::opening:
      info.state = "opening";
      break;
    case State::running:
      info.state = alarm_ == Alarm::blocked       ? "blocked"
                   : alarm_ == Alarm::blocking    ? "blocking"
                   : talk_.congested_channels > 0 ? "flow"
                                                  : "running";
      break;
    case State::draining:
    case State::clearing:
      info.state = "closing";
      break;
    case State::closing:
    case State::closed:
    case State::silent:
    case State::gone:
      info.state = "closed";
      break;
  }
  return info;
}

std::vector<ChannelInfo> Connection::channels() const {
  std::vector<ChannelInfo> infos;
  for (const auto& [number, channel] : channels_)
    if (!channel->is_closed()) infos.push_back(channel->info());
  return infos;
}

}  // namespace warren::session::amqp091
