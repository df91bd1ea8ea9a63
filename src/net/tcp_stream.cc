#include "net/tcp_stream.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "net/tcp_stream_impl.h"

namespace warren::net {
namespace {

constexpr std::size_t max_pieces = 64;
/// Small sends are joined up to this size, so that a piece is worth its place in a write.
constexpr std::size_t joined_bytes = 16 * 1024;
constexpr std::chrono::seconds close_patience(5);
/// Less than this is not worth a read of its own. Behind it there is the beginning of the next
/// message, and of its body as little as possible, because that is copied.
constexpr std::size_t least_room = 16 * 1024;
constexpr std::size_t bytes_behind_room = 4 * 1024;
/// What TLS may answer on its own to a peer that does not read.
constexpr std::size_t most_unread_replies = 64 * 1024;

}  // namespace

Endpoint endpoint_of(const tcp::endpoint& endpoint) {
  asio::ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return {address.to_string(), endpoint.port(), address.is_loopback()};
}

TcpStream::Impl::Impl(Shard& shard, Socket socket)
    : shard_(shard.impl()), socket_(std::move(socket)) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  local = endpoint_of(socket_.local_endpoint(ignored));
  remote = endpoint_of(socket_.remote_endpoint(ignored));
}

void TcpStream::Impl::start(StreamEvents& events) {
  events_ = &events;
  request_turn_end();
}

void TcpStream::Impl::request_turn_end() {
  if (has_turn_end_) return;
  has_turn_end_ = true;
  shard_.at_turn_end(shared_from_this());
}

void TcpStream::Impl::on_turn_end() {
  has_turn_end_ = false;
  if (state_ == State::closed) return;
  if (!output_.empty() && !has_write_wait_) write();
  if (state_ == State::closing && output_.empty() && !is_lingering_) return finish_closing();
  if (state_ != State::open || !events_ || !reading_) return;
  if (has_read_wait_) return;
  if (!given_back_.empty() || has_more_)
    read_next_turn();
  else
    wait_readable();
}

void TcpStream::Impl::read_next_turn() {
  has_read_wait_ = true;
  asio::post(shard_.io, [self = shared_from_this()] {
    self->has_read_wait_ = false;
    self->on_readable();
  });
}

void TcpStream::Impl::wait_readable() {
  has_read_wait_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    self->has_read_wait_ = false;
    if (!error) self->on_readable();
  });
}

void TcpStream::Impl::on_readable() {
  if (is_lingering_) return discard_input();
  if (state_ != State::open || !reading_) return;
  if (!given_back_.empty()) {
    request_turn_end();
    return deliver(std::exchange(given_back_, {}));
  }
  request_turn_end();
  const std::uint64_t most = received + shard_.buffer.size();
  // Bodies that are read to their places come one by one, so several of them make a turn.
  bool goes_on = true;
  while (goes_on) {
    std::span<char> room = tls || !events_ ? std::span<char>() : events_->room();
    if (room.size() < least_room) room = {};
    goes_on = read(room) && !room.empty() && received < most && state_ == State::open && reading_;
  }
}

/// Reads to `room`, which may be empty, and behind that to the shared buffer. True when there may
/// be more to read.
bool TcpStream::Impl::read(std::span<char> room) {
  auto& buffer = shard_.buffer;
  const std::array<iovec, 2> vectors{
      iovec{room.data(), room.size()},
      iovec{buffer.data(), room.empty() ? buffer.size() : bytes_behind_room}};
  const ssize_t size = ::readv(socket_.native_handle(), vectors.data(), vectors.size());
  has_more_ = size == static_cast<ssize_t>(vectors[0].iov_len + vectors[1].iov_len);
  if (size == 0) fail("the peer closed the connection");
  if (size < 0 && errno != EAGAIN && errno != EINTR) fail(std::strerror(errno));
  if (size <= 0) return false;
  received += static_cast<std::uint64_t>(size);
  const std::size_t filled = std::min(room.size(), static_cast<std::size_t>(size));
  if (filled > 0) events_->on_filled(filled);
  if (const std::size_t rest = static_cast<std::size_t>(size) - filled)
    deliver({buffer.data(), rest});
  return has_more_;
}

void TcpStream::Impl::deliver(base::ByteView bytes) {
  if (!events_) return;
  if (tls) return decrypt(bytes);
  events_->on_bytes(bytes);
}

void TcpStream::Impl::decrypt(base::ByteView bytes) {
  base::Bytes& plain = shard_.plaintext;
  plain.clear();
  const bool was_established = tls->is_established();
  const auto fed = tls->feed(bytes, plain);
  unread_replies_ = pending == 0 || !was_established ? 0 : unread_replies_ + tls->output().size();
  enqueue_encrypted();
  if (!fed) {
    if (!has_write_wait_) write();
    if (state_ != State::closed) fail(fed.error().text);
    return;
  }
  if (unread_replies_ > most_unread_replies) return fail("the peer does not read");
  if (!was_established && tls->is_established()) events_->on_secured();
  if (state_ == State::open && events_ && !plain.empty()) events_->on_bytes(plain);
  if (state_ == State::open && tls->has_ended()) fail("the peer closed the connection");
}

void TcpStream::Impl::secure(std::shared_ptr<const TlsContext> context) {
  tls = std::make_unique<Tls>(std::move(context));
}

void TcpStream::Impl::give_back(base::ByteView bytes) {
  given_back_.insert(0, bytes);
  request_turn_end();
}

void TcpStream::Impl::delay() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(false), ignored);
}

/// Puts the ciphertext in the place of what it says.
void TcpStream::Impl::encrypt(base::OutputBuffer& output) {
  if (state_ != State::open) return;
  tls->send(output.take_flat());
  output.text() = std::exchange(tls->output(), {});
}

void TcpStream::Impl::enqueue_encrypted() {
  base::OutputBuffer output;
  output.text() = std::exchange(tls->output(), {});
  enqueue(output);
}

void TcpStream::Impl::send(base::Bytes bytes) {
  base::OutputBuffer output;
  output.text() = std::move(bytes);
  if (tls) encrypt(output);
  enqueue(output);
}

void TcpStream::Impl::enqueue(base::OutputBuffer& output) {
  if (state_ != State::open || output.empty()) return output.clear();
  pending += output.size();
  if (!output_.empty() && output_.back().size() + output.size() <= joined_bytes) {
    output_.back().append(output);
  } else {
    output_.emplace_back();
    output_.back().append(output);
  }
  request_turn_end();
}

void TcpStream::Impl::send_now(base::OutputBuffer& output) {
  if (tls) encrypt(output);
  if (state_ != State::open || has_write_wait_ || !output_.empty()) return enqueue(output);
  std::size_t written = 0;
  const Written how = write_from(output, written);
  if (how == Written::all) {
    written_of_first_ = 0;
    return output.clear();
  }
  enqueue(output);
  pending -= written;
  // After a failure the end of the turn meets the same error and reports it.
  if (how == Written::some) wait_writable();
}

void TcpStream::Impl::write() {
  while (!output_.empty()) {
    std::size_t written = 0;
    const Written how = write_from(output_.front(), written);
    pending -= written;
    if (how == Written::failed) return fail(std::strerror(errno));
    if (how == Written::some) return wait_writable();
    written_of_first_ = 0;
    output_.erase(output_.begin());
  }
  if (was_blocked_) {
    was_blocked_ = false;
    if (state_ == State::open && events_) events_->on_drained();
  }
}

/// Writes what the system takes of a buffer, from `written_of_first_` on, and adds to `written`.
TcpStream::Impl::Written TcpStream::Impl::write_from(base::OutputBuffer& output,
                                                     std::size_t& written) {
  for (;;) {
    std::array<base::ByteView, max_pieces> pieces;
    std::array<iovec, max_pieces> vectors;
    const std::size_t count = output.look(written_of_first_, pieces);
    if (count == 0) return Written::all;
    std::size_t asked = 0;
    for (std::size_t i = 0; i < count; ++i) {
      vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
      asked += pieces[i].size();
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t size = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
    if (size < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? Written::some : Written::failed;
    }
    sent += static_cast<std::uint64_t>(size);
    written += static_cast<std::size_t>(size);
    written_of_first_ += static_cast<std::size_t>(size);
    if (static_cast<std::size_t>(size) < asked) return Written::some;
  }
}

void TcpStream::Impl::wait_writable() {
  was_blocked_ = true;
  has_write_wait_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code error) {
    self->has_write_wait_ = false;
    if (!error && self->state_ != State::closed) self->request_turn_end();
  });
}

void TcpStream::Impl::set_reading(bool reading) {
  if (reading_ == reading) return;
  reading_ = reading;
  if (reading) request_turn_end();
}

void TcpStream::Impl::close(bool with_reset) {
  if (state_ != State::open) return;
  if (tls) {
    tls->close();
    enqueue_encrypted();
  }
  state_ = State::closing;
  events_ = nullptr;
  reset_at_end_ = with_reset;
  request_turn_end();
  if (!output_.empty()) start_close_timer();
}

void TcpStream::Impl::start_close_timer() {
  close_timer_ = std::make_unique<asio::steady_timer>(shard_.io, close_patience);
  close_timer_->async_wait([self = shared_from_this()](error_code error) {
    if (!error && self->state_ == State::closing) self->close_socket(!self->is_lingering_);
  });
}

/// Closing over octets that nobody has read would reset the connection, and the peer might lose
/// what it was told last. So what still comes is thrown away until the peer ends its side too.
void TcpStream::Impl::finish_closing() {
  if (reset_at_end_) return close_socket(true);
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  is_lingering_ = true;
  start_close_timer();
  if (!has_read_wait_) wait_readable();
}

void TcpStream::Impl::discard_input() {
  auto& buffer = shard_.buffer;
  const ssize_t size = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
  if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return close_socket(false);
  wait_readable();
}

void TcpStream::Impl::reset() {
  events_ = nullptr;
  if (state_ != State::closed) close_socket(true);
}

void TcpStream::Impl::fail(const std::string& reason) {
  close_socket(false);
  if (StreamEvents* events = std::exchange(events_, nullptr)) events->on_closed(reason);
}

void TcpStream::Impl::close_socket(bool with_reset) {
  state_ = State::closed;
  is_lingering_ = false;
  error_code ignored;
  if (with_reset) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
  if (close_timer_) close_timer_->cancel();
  output_.clear();
  pending = 0;
  written_of_first_ = 0;
}

TcpStream::TcpStream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
TcpStream::~TcpStream() {
  close();
}

void TcpStream::start(StreamEvents& events) {
  impl_->start(events);
}
void TcpStream::secure(std::shared_ptr<const TlsContext> context) {
  impl_->secure(std::move(context));
}
std::optional<TlsFacts> TcpStream::tls_facts() const {
  if (!impl_->tls || !impl_->tls->is_established()) return {};
  return impl_->tls->facts();
}
void TcpStream::give_back(base::ByteView bytes) {
  impl_->give_back(bytes);
}
void TcpStream::set_ends(const Endpoint& local, const Endpoint& remote) {
  impl_->local.address = local.address;
  impl_->local.port = local.port;
  impl_->remote.address = remote.address;
  impl_->remote.port = remote.port;
}
void TcpStream::send(base::Bytes bytes) {
  impl_->send(std::move(bytes));
}
void TcpStream::send_now(base::OutputBuffer& output) {
  impl_->send_now(output);
}
std::size_t TcpStream::pending() const {
  return impl_->pending;
}
void TcpStream::set_reading(bool reading) {
  impl_->set_reading(reading);
}
void TcpStream::close() {
  impl_->close(false);
}
void TcpStream::reset() {
  impl_->reset();
}
void TcpStream::reset_when_sent() {
  impl_->close(true);
}
bool TcpStream::is_open() const {
  return impl_->is_open();
}
const Endpoint& TcpStream::local() const {
  return impl_->local;
}
const Endpoint& TcpStream::remote() const {
  return impl_->remote;
}
std::uint64_t TcpStream::received() const {
  return impl_->received;
}
std::uint64_t TcpStream::sent() const {
  return impl_->sent;
}

}  // namespace warren::net
