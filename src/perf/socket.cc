#include "perf/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "codec/amqp091_method.h"

namespace warren::perf {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t read_octets = 256 * 1024;
constexpr std::size_t little_octets = 1024;
constexpr std::uint32_t frame_octets_max = 131072 + 8;

/// Shared by all sockets, as only one reads at a time: a kept rest in front, then what comes.
std::vector<char>& read_buffer() {
  static std::vector<char> buffer(frame_octets_max + read_octets);
  return buffer;
}

}  // namespace

std::uint64_t now_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Socket::Socket(int descriptor, std::uint32_t frame_max)
    : descriptor_(descriptor), scanner_(std::min(frame_max, 131072U)) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      scanner_(other.scanner_),
      rest_(std::move(other.rest_)),
      out_(std::move(other.out_)),
      out_sent_(other.out_sent_),
      reads_little_(other.reads_little_) {}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<base::ByteView> Socket::receive() {
  auto& buffer = read_buffer();
  const std::size_t most = reads_little_ ? little_octets : read_octets;
  const ssize_t got = ::recv(descriptor_, buffer.data() + rest_.size(), most, 0);
  if (got == 0) return fail(ErrorCode::unavailable, "the broker closed the socket");
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return base::ByteView{};
    return fail(ErrorCode::unavailable, std::string("receiving: ") + std::strerror(errno));
  }
  std::memcpy(buffer.data(), rest_.data(), rest_.size());
  return base::ByteView(buffer.data(), rest_.size() + static_cast<std::size_t>(got));
}

Result<std::uint32_t> Socket::discard(std::uint32_t octets) {
  const ssize_t got = ::recv(descriptor_, nullptr, octets, MSG_TRUNC);
  if (got > 0) return static_cast<std::uint32_t>(got);
  if (got == 0) return fail(ErrorCode::unavailable, "the broker closed the socket");
  if (errno == EAGAIN || errno == EINTR) return 0U;
  return fail(ErrorCode::unavailable, std::string("receiving: ") + std::strerror(errno));
}

Result<bool> Socket::keep_rest(base::ByteView rest) {
  if (scanner_.failed())
    return fail(ErrorCode::frame_error, "the broker sent bytes that are no frames");
  rest_.assign(rest);
  return true;
}

Result<std::size_t> Socket::write(base::ByteView bytes) {
  const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return fail(ErrorCode::unavailable, std::string("sending: ") + std::strerror(errno));
}

Result<bool> Socket::flush() {
  if (out_.empty()) return true;
  TRY_ASSIGN(const std::size_t sent, write(base::ByteView(out_).substr(out_sent_)));
  out_sent_ += sent;
  if (out_sent_ < out_.size()) return false;
  out_.clear();
  out_sent_ = 0;
  return true;
}

void Socket::close_orderly() {
  if (descriptor_ < 0) return;
  constexpr int patience_ms = 500;
  codec::amqp091::ConnectionClose close;
  close.reply_code = 200;
  close.reply_text = "done";
  // Behind a frame that was cut, a goodbye would be read as part of it.
  if (unsent() == 0) {
    codec::amqp091::encode_method(out_, 0, close);
    (void)flush();
    // Some brokers leave it to the client to close the socket; this asks them to.
    ::shutdown(descriptor_, SHUT_WR);
  }
  const std::uint64_t deadline = now_nanoseconds() + patience_ms * 1000000ULL;
  while (now_nanoseconds() < deadline) {
    pollfd wait{descriptor_, POLLIN, 0};
    if (::poll(&wait, 1, patience_ms) <= 0) break;
    if (::recv(descriptor_, read_buffer().data(), read_octets, 0) <= 0) break;
  }
  ::close(std::exchange(descriptor_, -1));
}

}  // namespace warren::perf
