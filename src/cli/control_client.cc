#include "cli/control_client.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/random.h"
#include "codec/epmd.h"
#include "net/handshake.h"
#include "server/control_endpoint.h"

namespace warren::cli {
namespace {

namespace epmd = codec::epmd;
using Failure = BlockingSocket::Failure;
using Clock = BlockingSocket::Clock;
using Kind = ConnectFailure::Kind;

/// Waits for the socket; false at the deadline.
bool await_socket(int descriptor, short events, Clock::time_point deadline) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    const int wait_ms = static_cast<int>(std::clamp<long long>(left.count(), 0, 3600 * 1000));
    pollfd entry{descriptor, events, 0};
    const int ready = ::poll(&entry, 1, wait_ms);
    if (ready > 0) return true;
    if (ready == 0 && wait_ms < 3600 * 1000) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::expected<int, Failure> connect_address(const addrinfo& address, Clock::time_point deadline) {
  const int descriptor =
      ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::unexpected(Failure::other);
  int error = ::connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    error = ETIMEDOUT;
    if (await_socket(descriptor, POLLOUT, deadline)) {
      socklen_t size = sizeof(error);
      ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (error == 0) return descriptor;
  ::close(descriptor);
  if (error == ECONNREFUSED) return std::unexpected(Failure::refused);
  return std::unexpected(error == ETIMEDOUT ? Failure::timeout : Failure::other);
}

std::string_view failure_text(Failure failure) {
  switch (failure) {
    case Failure::unresolved: return "the host is not known";
    case Failure::refused: return "econnrefused";
    case Failure::timeout: return "timeout";
    case Failure::closed: return "the connection was closed";
    case Failure::other: break;
  }
  return "the system refused";
}

std::expected<base::Bytes, Failure> ask_epmd_once(const NodeTarget& target,
                                                  const epmd::Request& question,
                                                  Clock::time_point deadline) {
  auto socket = BlockingSocket::connect(target.dial_host, target.epmd_port, deadline);
  if (!socket) return std::unexpected(socket.error());
  base::Bytes request, answer;
  epmd::encode_request(request, question);
  if (auto sent = socket->send(request, deadline); !sent) return std::unexpected(sent.error());
  while (answer.size() < epmd::max_names_size) {
    auto bytes = socket->receive(deadline);
    if (!bytes && bytes.error() == Failure::closed) break;
    if (!bytes) return std::unexpected(bytes.error());
    answer += *bytes;
  }
  return answer;
}

/// A connection that ends without a word is no answer: the service may have been starting, or
/// have had too many callers.
std::expected<base::Bytes, Failure> ask_epmd(const NodeTarget& target,
                                             const epmd::Request& question,
                                             Clock::time_point deadline) {
  constexpr int most_attempts = 3;
  std::expected<base::Bytes, Failure> answer = std::unexpected(Failure::closed);
  for (int i = 0; i < most_attempts; ++i) {
    answer = ask_epmd_once(target, question, deadline);
    const bool is_silent = answer ? answer->empty() : answer.error() == Failure::closed;
    if (!is_silent) return answer;
  }
  return std::unexpected(Failure::closed);
}

/// The port that the name service of the node's host knows for it.
std::expected<std::uint16_t, ConnectFailure> look_up(const NodeTarget& target,
                                                     Clock::time_point deadline) {
  ConnectFailure failure{Kind::no_epmd, target.node, 0, {}, {}};
  const std::string name = target.node.substr(0, target.node.find('@'));
  auto answer = ask_epmd(target, epmd::PortRequest{name}, deadline);
  if (!answer) {
    if (answer.error() == Failure::unresolved) failure.kind = Kind::no_such_host;
    failure.detail = failure_text(answer.error());
    return std::unexpected(failure);
  }
  auto port = epmd::take_port_response(*answer);
  if (port && *port && (*port)->node) return (*port)->node->port;
  failure.kind = Kind::not_registered;
  if (auto names = ask_epmd(target, epmd::NamesRequest{}, deadline))
    if (auto known = epmd::decode_names_response(*names))
      for (const auto& other : known->nodes) failure.others.push_back(other.name);
  std::ranges::sort(failure.others);
  return std::unexpected(failure);
}

}  // namespace

void pause_for(std::chrono::milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

std::expected<BlockingSocket, Failure> BlockingSocket::connect(const std::string& host,
                                                               std::uint16_t port,
                                                               Clock::time_point deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return std::unexpected(Failure::unresolved);
  Failure last = Failure::other;
  for (const addrinfo* at = found; at; at = at->ai_next) {
    auto descriptor = connect_address(*at, deadline);
    if (descriptor) {
      ::freeaddrinfo(found);
      return BlockingSocket(*descriptor);
    }
    last = descriptor.error();
  }
  ::freeaddrinfo(found);
  return std::unexpected(last);
}

BlockingSocket::BlockingSocket(BlockingSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}
BlockingSocket& BlockingSocket::operator=(BlockingSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
BlockingSocket::~BlockingSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::expected<void, Failure> BlockingSocket::send(base::ByteView bytes,
                                                  Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!await_socket(descriptor_, POLLOUT, deadline)) return std::unexpected(Failure::timeout);
    } else if (errno != EINTR) {
      return std::unexpected(Failure::closed);
    }
  }
  return {};
}

std::expected<base::Bytes, Failure> BlockingSocket::receive(Clock::time_point deadline) {
  char buffer[64 * 1024];
  while (true) {
    const ssize_t size = ::recv(descriptor_, buffer, sizeof(buffer), 0);
    if (size > 0) return base::Bytes(buffer, static_cast<std::size_t>(size));
    if (size == 0) return std::unexpected(Failure::closed);
    if (errno == EAGAIN) {
      if (!await_socket(descriptor_, POLLIN, deadline)) return std::unexpected(Failure::timeout);
    } else if (errno != EINTR) {
      return std::unexpected(Failure::closed);
    }
  }
}

std::expected<ControlClient, ConnectFailure> ControlClient::connect(const NodeTarget& target,
                                                                    Clock::time_point deadline) {
  auto port = look_up(target, deadline);
  if (!port) return std::unexpected(port.error());
  ConnectFailure failure{Kind::port_closed, target.node, *port, {}, {}};
  auto socket = BlockingSocket::connect(target.dial_host, *port, deadline);
  if (!socket) {
    failure.detail = failure_text(socket.error());
    return std::unexpected(failure);
  }
  auto handshake =
      net::Handshake::initiator(net::PeerRole::cli, target.own_name, target.node, target.cookie,
                                base::secure_random_bytes(net::handshake_nonce_size));
  failure.kind = Kind::refused_by_node;
  while (true) {
    if (base::Bytes output = handshake.take_output(); !output.empty())
      (void)socket->send(output, deadline);
    if (handshake.phase() == net::Handshake::Phase::done) break;
    if (handshake.phase() == net::Handshake::Phase::failed) {
      failure.detail = handshake.error().text;
      return std::unexpected(failure);
    }
    auto bytes = socket->receive(deadline);
    if (!bytes) {
      failure.detail = failure_text(bytes.error());
      return std::unexpected(failure);
    }
    handshake.feed(*bytes);
  }
  return ControlClient(std::move(*socket), handshake.take_rest());
}

base::Result<std::string> ControlClient::request(std::string_view json,
                                                 Clock::time_point deadline) {
  auto closed = [](Failure failure) {
    return failure == Failure::timeout
               ? base::fail(base::ErrorCode::timeout, "the node did not answer in time")
               : base::fail(base::ErrorCode::unavailable, "the node closed the connection");
  };
  if (auto sent = socket_.send(server::make_control_frame(json), deadline); !sent)
    return closed(sent.error());
  while (true) {
    auto frame = server::take_control_frame(input_, server::max_control_reply);
    if (!frame) return std::unexpected(frame.error());
    if (*frame) return std::move(**frame);
    auto bytes = socket_.receive(deadline);
    if (!bytes) return closed(bytes.error());
    input_ += *bytes;
  }
}

bool ControlClient::await_close(Clock::time_point deadline) {
  while (true) {
    auto bytes = socket_.receive(deadline);
    if (!bytes) return bytes.error() == Failure::closed;
  }
}

}  // namespace warren::cli
