#include "perf/stub_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "perf/interrupt.h"
#include "perf/report.h"
#include "perf/stub_session.h"

namespace warren::perf {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::uint64_t second = 1000000000;

class StubServer {
 public:
  explicit StubServer(const Options& options) : options_(options) {}
  ~StubServer() {
    if (listener_ >= 0) ::close(listener_);
    if (epoll_ >= 0) ::close(epoll_);
  }

  Result<> listen();
  void run();

 private:
  void accept_one();
  void turn(int wait_ms);
  void on_event(int descriptor);
  void flush_all();
  void drop(int descriptor);
  bool is_full() const { return consumer_ != nullptr && consumer_->socket().unsent() > 0; }
  void show_progress();

  const Options& options_;
  int listener_ = -1;
  int epoll_ = -1;
  std::map<int, std::unique_ptr<StubSession>> sessions_;  ///< by descriptor
  StubSession* consumer_ = nullptr;
  std::uint64_t messages_gone_ = 0;  ///< of connections that are closed
  std::uint64_t shown_ = 0;
  std::uint64_t next_progress_ = 0;
};

Result<> StubServer::listen() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, plain, size) != 0 || ::listen(listener_, SOMAXCONN) != 0)
    return fail(ErrorCode::io, fmt::format("cannot listen on 127.0.0.1:{}: {}", options_.port,
                                           std::strerror(errno)));
  ::getsockname(listener_, plain, &size);
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener_}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  return {};
}

void StubServer::accept_one() {
  const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (descriptor < 0) return;
  const timeval patience{1, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  char header[codec::amqp091::protocol_header_size];
  if (::recv(descriptor, header, sizeof header, MSG_WAITALL) != sizeof header ||
      std::memcmp(header, codec::amqp091::protocol_header.data(), sizeof header) != 0) {
    ::close(descriptor);
    return;
  }
  constexpr std::uint32_t frame_max = 131072;
  auto session = std::make_unique<StubSession>(Socket(descriptor, frame_max));
  (void)session->socket().flush();
  session->listens_for = EPOLLIN;
  epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  sessions_.emplace(descriptor, std::move(session));
}

void StubServer::drop(int descriptor) {
  const auto found = sessions_.find(descriptor);
  if (consumer_ == found->second.get()) consumer_ = nullptr;
  messages_gone_ += found->second->messages();
  sessions_.erase(found);
}

void StubServer::on_event(int descriptor) {
  const auto found = sessions_.find(descriptor);
  if (found == sessions_.end()) return;
  StubSession& session = *found->second;
  StubSession* const target = options_.mode == Mode::relay ? consumer_ : nullptr;
  if (!session.on_readable(target == &session ? nullptr : target)) return drop(descriptor);
  if (session.is_consumer()) consumer_ = &session;
}

/// Writes what the turn brought. While the consumer's socket is full nobody else is read.
void StubServer::flush_all() {
  for (auto each = sessions_.begin(); each != sessions_.end();) {
    const auto current = each++;
    if (!current->second->socket().flush()) drop(current->first);
  }
  for (auto& [descriptor, session] : sessions_) {
    epoll_event event{.events = 0, .data = {.fd = descriptor}};
    if (session.get() == consumer_ || !is_full()) event.events |= EPOLLIN;
    if (session->socket().unsent() > 0) event.events |= EPOLLOUT;
    if (event.events == session->listens_for) continue;
    session->listens_for = event.events;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event);
  }
}

void StubServer::turn(int wait_ms) {
  constexpr int events_max = 64;
  epoll_event events[events_max];
  const int ready = ::epoll_wait(epoll_, events, events_max, wait_ms);
  for (int i = 0; i < ready; ++i) {
    if (events[i].data.fd == listener_)
      accept_one();
    else if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
      on_event(events[i].data.fd);
  }
  flush_all();
}

void StubServer::show_progress() {
  const std::uint64_t now = now_nanoseconds();
  if (now < next_progress_) return;
  std::uint64_t messages = messages_gone_;
  for (const auto& [descriptor, session] : sessions_) messages += session->messages();
  if (!options_.quiet && messages != shown_)
    std::fprintf(stderr, "%s messages/s\n", group_digits(messages - shown_).c_str());
  shown_ = messages;
  next_progress_ = now + second;
}

void StubServer::run() {
  constexpr int wait_ms = 200;
  while (!is_interrupted()) {
    turn(wait_ms);
    show_progress();
  }
}

}  // namespace

Result<> run_stub_server(const Options& options) {
  StubServer server(options);
  TRY(server.listen());
  server.run();
  return {};
}

}  // namespace warren::perf
