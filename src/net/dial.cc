#include "net/dial.h"

#include <fmt/format.h>

#include "net/tcp_stream_impl.h"

namespace warren::net {

class Dial::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Shard& shard, std::string host, std::uint16_t port, Done done)
      : shard_(shard),
        host_(std::move(host)),
        port_(port),
        done_(std::move(done)),
        resolver_(shard.impl().io),
        socket_(shard.impl().io),
        timer_(shard.impl().io) {}

  void start(base::Time deadline) {
    timer_.expires_at(asio::steady_timer::time_point(deadline.time_since_epoch()));
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->fail(DialFailure::timeout, "no answer in time");
    });
    error_code error;
    auto address = asio::ip::make_address(host_, error);
    if (!error) {
      addresses_.emplace_back(address, port_);
      return connect_next();
    }
    resolver_.async_resolve(
        host_, std::to_string(port_),
        [self = shared_from_this()](error_code failure, tcp::resolver::results_type found) {
          if (self->is_done_) return;
          if (failure) return self->fail(DialFailure::unresolved, "no such host");
          for (const auto& entry : found) self->addresses_.push_back(entry.endpoint());
          self->connect_next();
        });
  }

  void abandon() {
    is_done_ = true;
    stop();
  }

 private:
  void connect_next() {
    if (next_ == addresses_.size())
      return fail(all_refused_ ? DialFailure::refused : DialFailure::other, last_error_);
    error_code ignored;
    socket_.close(ignored);
    socket_.async_connect(addresses_[next_++], [self = shared_from_this()](error_code error) {
      if (self->is_done_) return;
      if (!error) return self->succeed();
      if (error != asio::error::connection_refused) self->all_refused_ = false;
      self->last_error_ = error.message();
      self->connect_next();
    });
  }

  void succeed() {
    is_done_ = true;
    timer_.cancel();
    auto stream =
        std::make_unique<TcpStream>(std::make_shared<TcpStream::Impl>(shard_, std::move(socket_)));
    done_(std::move(stream));
  }

  void fail(DialFailure failure, const std::string& text) {
    if (is_done_) return;
    is_done_ = true;
    stop();
    done_(std::unexpected(
        DialError{failure, fmt::format("cannot connect to {}:{}: {}", host_, port_, text)}));
  }

  void stop() {
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
    timer_.cancel();
  }

  Shard& shard_;
  std::string host_;
  std::uint16_t port_;
  Done done_;
  tcp::resolver resolver_;
  Socket socket_;
  asio::steady_timer timer_;
  std::vector<tcp::endpoint> addresses_;
  std::size_t next_ = 0;
  bool all_refused_ = true;
  bool is_done_ = false;
  std::string last_error_ = "the host has no address";
};

Dial::Dial(Shard& shard, std::string host, std::uint16_t port, base::Time deadline, Done done)
    : impl_(std::make_shared<Impl>(shard, std::move(host), port, std::move(done))) {
  impl_->start(deadline);
}
Dial::~Dial() {
  impl_->abandon();
}

}  // namespace warren::net
