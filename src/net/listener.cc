#include "net/listener.h"

#include <fmt/format.h>

#include "net/tcp_stream_impl.h"

namespace warren::net {
namespace {

constexpr std::chrono::milliseconds rest_when_out_of_files(100);
constexpr int accepts_per_turn = 64;

}  // namespace

class Listener::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Shard& shard, const SocketOptions& options, OnAccept on_accept)
      : shard_(shard),
        options_(options),
        acceptor_(shard.impl().io),
        rest_(shard.impl().io),
        on_accept_(std::move(on_accept)) {}

  error_code open(const tcp::endpoint& endpoint, bool dual_stack) {
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (error) return error;
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && dual_stack) acceptor_.set_option(asio::ip::v6_only(false), error);
    // Connections inherit these.
    if (!error && options_.keep_alive)
      acceptor_.set_option(asio::socket_base::keep_alive(true), error);
    if (!error && options_.send_buffer > 0)
      acceptor_.set_option(asio::socket_base::send_buffer_size(options_.send_buffer), error);
    if (!error && options_.receive_buffer > 0)
      acceptor_.set_option(asio::socket_base::receive_buffer_size(options_.receive_buffer), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(options_.backlog, error);
    if (!error) acceptor_.non_blocking(true, error);
    if (error) {
      error_code ignored;
      acceptor_.close(ignored);
      return error;
    }
    local = endpoint_of(acceptor_.local_endpoint(error));
    return {};
  }

  void wait() {
    if (is_waiting_ || is_paused_) return;
    is_waiting_ = true;
    acceptor_.async_wait(tcp::acceptor::wait_read, [self = shared_from_this()](error_code error) {
      self->is_waiting_ = false;
      if (!error && !self->is_closed_) self->accept();
    });
  }
  void set_accepting(bool accepting) {
    is_paused_ = !accepting;
    if (accepting && !is_closed_) wait();
  }
  void close() {
    is_closed_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    rest_.cancel();
  }

  Endpoint local;

 private:
  void accept() {
    for (int i = 0; i < accepts_per_turn && !is_closed_ && !is_paused_; ++i) {
      error_code error;
      Socket socket(shard_.impl().io);
      acceptor_.accept(socket, error);
      if (error == asio::error::no_descriptors ||
          error == boost::system::errc::too_many_files_open_in_system)
        return rest();
      if (error == asio::error::would_block || error == asio::error::try_again) break;
      if (error) continue;
      auto impl = std::make_shared<TcpStream::Impl>(shard_, std::move(socket));
      if (!options_.no_delay) impl->delay();
      on_accept_(std::make_unique<TcpStream>(std::move(impl)));
    }
    if (!is_closed_) wait();
  }
  void rest() {
    rest_.expires_after(rest_when_out_of_files);
    rest_.async_wait([self = shared_from_this()](error_code error) {
      if (!error && !self->is_closed_) self->wait();
    });
  }

  Shard& shard_;
  SocketOptions options_;
  tcp::acceptor acceptor_;
  asio::steady_timer rest_;
  OnAccept on_accept_;
  bool is_closed_ = false;
  bool is_paused_ = false;
  bool is_waiting_ = false;
};

Listener::Listener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() {
  impl_->close();
}
void Listener::set_accepting(bool accepting) {
  impl_->set_accepting(accepting);
}
const Endpoint& Listener::local() const {
  return impl_->local;
}

base::Result<std::unique_ptr<Listener>> Listener::open(Shard& shard, const ListenOptions& options,
                                                       OnAccept on_accept) {
  auto impl = std::make_shared<Impl>(shard, options.socket, std::move(on_accept));
  error_code error;
  std::string where = options.address.empty() ? "all addresses" : options.address;
  if (options.address.empty()) {
    error = impl->open(tcp::endpoint(asio::ip::address_v6::any(), options.port), true);
    if (error && error != asio::error::address_in_use)
      error = impl->open(tcp::endpoint(asio::ip::address_v4::any(), options.port), false);
  } else {
    auto address = asio::ip::make_address(options.address, error);
    if (error)
      return base::fail(base::ErrorCode::invalid_argument,
                        fmt::format("'{}' is not an IP address", options.address));
    error = impl->open(tcp::endpoint(address, options.port), false);
  }
  if (error == asio::error::address_in_use)
    return base::fail(
        base::ErrorCode::already_exists,
        fmt::format("port {} on {} is in use by another process", options.port, where));
  if (error)
    return base::fail(base::ErrorCode::io, fmt::format("cannot listen on port {} of {}: {}",
                                                       options.port, where, error.message()));
  impl->wait();
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

}  // namespace warren::net
