#include <utility>

#include "base/log.h"
#include "session/connection.h"

/// The ends of a connection: by the client, by a failure, by the operator, by the network.
namespace warren::session::amqp091 {

using namespace codec::amqp091;

/// Tells the peer why, and ends everything that it had.
void Connection::fail(const Failure& failure) {
  if (is_ending()) return;
  if (failure.without_words) {
    base::log_error("connection {}: unknown method", talk_.name());
    return reset();
  }
  const bool was_open = state_ == State::running;
  if (was_open)
    base::log_error("connection {} (user '{}', vhost '{}'): {}", talk_.name(), talk_.login.user,
                    talk_.vhost, failure.reply_text());
  close_channels();
  const MethodIds blamed = failure.method.value_or(MethodIds{});
  encode_method(talk_.output.text(), 0,
                ConnectionClose{static_cast<std::uint16_t>(failure.code), failure.reply_text(),
                                blamed.class_id, blamed.method_id});
  state_ = State::closing;
  state_deadline_ = now_ + talk_.environment.limits.closing_timeout;
}

/// A client that broke the handshake waits before it may try again.
void Connection::fail_handshake(std::string_view why) {
  base::log_error("connection {}: {}", talk_.name(), why);
  go_silent();
}

void Connection::go_silent() {
  close_channels();
  state_ = State::silent;
  state_deadline_ = now_ + talk_.environment.limits.silent_close;
}

void Connection::reset() {
  close_channels();
  stop_counting();
  state_ = State::gone;
  state_deadline_ = stall_deadline_ = base::never;
  next_send_check_ = next_receive_check_ = next_timeout_check_ = base::never;
  close_style_ = CloseStyle::reset;
}

void Connection::close_channels() {
  for (auto& [number, channel] : channels_) channel->flush();
  if (is_counted_)
    talk_.environment.client_limits.remove_channels(talk_.login.user, channels_.size());
  entered_ = nullptr;
  channels_.clear();
  if (talk_.exclusive_queues) talk_.exclusive_queues->delete_all();
}

/// A connection that is closed counts for as long as its client stays.
void Connection::stop_counting() {
  if (!std::exchange(is_counted_, false)) return;
  talk_.environment.client_limits.remove_channels(talk_.login.user, channels_.size());
  talk_.environment.client_limits.remove_connection(talk_.login.user, talk_.vhost);
}

/// After the client's close: first the channels finish what waits in them, then the queues go that
/// go with them, then the client is told.
void Connection::continue_closing() {
  if (state_ == State::draining && are_channels_idle()) {
    for (auto& [number, channel] : channels_) channel->leave();
    if (!are_channels_idle()) return;
    close_channels();
    state_ = State::clearing;
  }
  if (state_ != State::clearing) return;
  if (talk_.exclusive_queues && !talk_.exclusive_queues->is_settled()) return;
  encode_method(talk_.output.text(), 0, ConnectionCloseOk{});
  base::log_info("connection {} closed by its client", talk_.name());
  state_ = State::closed;
  state_deadline_ = now_ + talk_.environment.limits.closing_timeout;
}

bool Connection::are_channels_idle() const {
  for (const auto& [number, channel] : channels_)
    if (!channel->is_idle()) return false;
  return true;
}

void Connection::on_ending_method(const Method& method) {
  if (std::holds_alternative<ConnectionCloseOk>(method) && state_ == State::closing) return reset();
  // Both sides closed at once: the client's close is answered, ours still waits.
  if (std::holds_alternative<ConnectionClose>(method) && state_ == State::closing)
    encode_method(talk_.output.text(), 0, ConnectionCloseOk{});
}

void Connection::on_peer_closed(base::Time now) {
  now_ = now;
  if (state_ == State::gone) return;
  if (state_ == State::header && held_.empty())
    base::log_debug("connection {} ended without a byte", talk_.name());
  else if (state_ < State::draining)
    base::log_warning("connection {}: the client ended the stream without closing", talk_.name());
  reset();
}

void Connection::shutdown(std::string_view reason, base::Time now) {
  now_ = now;
  if (state_ < State::running) return reset();
  fail({ReplyCode::connection_forced, std::string(reason), {}, false});
}

bool Connection::is_finished() const {
  return state_ == State::gone && (!talk_.exclusive_queues || talk_.exclusive_queues->is_idle());
}

}  // namespace warren::session::amqp091
