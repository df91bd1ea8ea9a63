#include "perf/client.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace warren::perf {

namespace amqp = codec::amqp091;
using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t read_size = 16384;

void set_waits(int descriptor) {
  const timeval limit{Client::wait_seconds, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/// Methods that end a conversation, as an error.
Result<> check_closed(const amqp::Method& method) {
  if (const auto* close = std::get_if<amqp::ConnectionClose>(&method))
    return fail(ErrorCode::unavailable,
                fmt::format("the broker closed the connection: {}", close->reply_text));
  if (const auto* close = std::get_if<amqp::ChannelClose>(&method))
    return fail(ErrorCode::precondition_failed,
                fmt::format("the broker closed the channel: {}", close->reply_text));
  return {};
}

}  // namespace

Result<int> connect_socket(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found))
    return fail(ErrorCode::unavailable, fmt::format("host '{}': {}", host, ::gai_strerror(error)));
  int last_error = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const int descriptor = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 && ::connect(descriptor, each->ai_addr, each->ai_addrlen) == 0) {
      ::freeaddrinfo(found);
      const int on = 1;
      ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return descriptor;
    }
    last_error = errno;
    if (descriptor >= 0) ::close(descriptor);
  }
  ::freeaddrinfo(found);
  return fail(ErrorCode::unavailable,
              fmt::format("cannot connect to {}:{}: {}", host, port, std::strerror(last_error)));
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Client::Client(Client&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      frame_max_(other.frame_max_),
      parser_(std::move(other.parser_)),
      input_(std::move(other.input_)) {}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(frame_max_, other.frame_max_);
  std::swap(parser_, other.parser_);
  std::swap(input_, other.input_);
  return *this;
}

Client::~Client() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<Client> Client::connect(const Uri& uri) {
  Client client;
  TRY_ASSIGN(client.descriptor_, connect_socket(uri.host, uri.port));
  set_waits(client.descriptor_);
  TRY(client.shake_hands(uri));
  return client;
}

Result<> Client::shake_hands(const Uri& uri) {
  TRY(send(amqp::protocol_header));
  TRY_ASSIGN(auto start, receive());
  if (!std::holds_alternative<amqp::ConnectionStart>(start))
    return fail(ErrorCode::frame_error, "the broker did not begin with connection.start");
  amqp::ConnectionStartOk start_ok;
  start_ok.client_properties.set("product", "warren perf");
  base::FieldTable capabilities;
  capabilities.set("publisher_confirms", true);
  capabilities.set("basic.nack", true);
  capabilities.set("authentication_failure_close", true);  // so that a refused login is told
  start_ok.client_properties.set("capabilities", std::move(capabilities));
  start_ok.mechanism = "PLAIN";
  start_ok.response = std::string(1, '\0') + uri.user + std::string(1, '\0') + uri.password;
  start_ok.locale = "en_US";
  TRY_ASSIGN(auto answer, call(0, start_ok));
  const auto* tune = std::get_if<amqp::ConnectionTune>(&answer);
  if (tune == nullptr) return fail(ErrorCode::frame_error, "expected connection.tune");
  constexpr std::uint32_t own_frame_max = 131072;
  frame_max_ = tune->frame_max == 0 ? own_frame_max : std::min(tune->frame_max, own_frame_max);
  amqp::Bytes out;
  amqp::encode_method(out, 0, amqp::ConnectionTuneOk{tune->channel_max, frame_max_, 0});
  TRY(send(out));
  TRY(call(0, amqp::ConnectionOpen{uri.vhost}));
  return {};
}

Result<> Client::open_channel(std::uint16_t channel) {
  TRY(call(channel, amqp::ChannelOpen{}));
  return {};
}

Result<amqp::Method> Client::call(std::uint16_t channel, const amqp::Method& method) {
  amqp::Bytes out;
  amqp::encode_method(out, channel, method);
  TRY(send(out));
  return receive();
}

Result<> Client::send(base::ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      const char* what = errno == EAGAIN ? "the broker reads nothing" : std::strerror(errno);
      return fail(ErrorCode::unavailable, fmt::format("sending: {}", what));
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<amqp::Method> Client::receive() {
  while (true) {
    amqp::Frame frame;
    if (parser_.next(frame)) {
      if (frame.type != amqp::frame_method) continue;
      TRY_ASSIGN(auto method, amqp::decode_method(frame.payload));
      TRY(check_closed(method));
      return method;
    }
    if (parser_.error()) return fail(ErrorCode::frame_error, parser_.error()->text());
    input_.resize(read_size);
    const ssize_t got = ::recv(descriptor_, input_.data(), input_.size(), 0);
    if (got == 0) return fail(ErrorCode::unavailable, "the broker closed the socket");
    if (got < 0 && errno == EINTR) {
      input_.clear();
      return fail(ErrorCode::timeout, "interrupted");
    }
    if (got < 0) {
      const char* what = errno == EAGAIN ? "no answer from the broker" : std::strerror(errno);
      return fail(ErrorCode::unavailable, fmt::format("receiving: {}", what));
    }
    parser_.feed(base::ByteView(input_).substr(0, static_cast<std::size_t>(got)));
  }
}

Result<> Client::close() {
  amqp::ConnectionClose close;
  close.reply_code = 200;
  close.reply_text = "done";
  TRY(call(0, close));
  return {};
}

int Client::release() { return std::exchange(descriptor_, -1); }

}  // namespace warren::perf
