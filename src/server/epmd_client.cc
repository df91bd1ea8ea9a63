#include "server/epmd_client.h"

#include "base/log.h"

namespace warren::server {
namespace {

constexpr std::chrono::seconds taken_patience(2);
constexpr std::chrono::milliseconds taken_delay(50);
constexpr std::chrono::milliseconds first_delay(100);
constexpr std::chrono::seconds longest_delay(5);
constexpr std::chrono::seconds answer_patience(5);
/// A service that was just started needs a moment until it listens.
constexpr std::chrono::milliseconds service_start_delay(10);
constexpr int eager_attempts = 100;

}  // namespace

/// The connection that carries the registration.
class EpmdRegistration::Session final : public net::StreamEvents {
 public:
  Session(EpmdRegistration& owner, std::unique_ptr<net::TcpStream> stream)
      : owner_(owner), stream_(std::move(stream)) {
    stream_->start(*this);
    base::Bytes request;
    codec::epmd::encode_request(request, codec::epmd::AliveRequest{owner.options_.node});
    stream_->send(std::move(request));
  }

  void on_bytes(base::ByteView bytes) override {
    input_.append(bytes);
    if (input_.size() > codec::epmd::max_request_size) return owner_.on_lost();
    if (is_registered_) return input_.clear();
    auto response = codec::epmd::take_alive_response(input_);
    if (!response) return owner_.on_lost();
    if (!*response) return;
    if ((*response)->result != 0) return owner_.on_taken();
    is_registered_ = true;
    owner_.on_registered();
  }
  void on_closed(const std::string&) override { owner_.on_lost(); }

 private:
  EpmdRegistration& owner_;
  std::unique_ptr<net::TcpStream> stream_;
  base::Bytes input_;
  bool is_registered_ = false;
};

EpmdRegistration::EpmdRegistration(net::Shard& shard, Options options, FirstResult done)
    : shard_(shard),
      options_(std::move(options)),
      done_(std::move(done)),
      retry_timer_(shard, [this] { attempt(); }),
      started_(shard.now()),
      delay_(first_delay) {
  attempt();
}
EpmdRegistration::~EpmdRegistration() = default;

void EpmdRegistration::attempt() {
  dial_ = std::make_unique<net::Dial>(
      shard_, options_.host, options_.port, shard_.now() + answer_patience, [this](auto stream) {
        if (!stream) return retry(stream.error().failure == net::DialFailure::refused);
        session_ = std::make_unique<Session>(*this, std::move(*stream));
      });
}

void EpmdRegistration::retry(bool is_refused) {
  session_.reset();
  if (is_refused && options_.start_service) {
    if (starts_ % eager_attempts == 0) options_.start_service();
    if (++starts_ < eager_attempts) return retry_timer_.set(shard_.now() + service_start_delay);
  }
  if (delay_ >= longest_delay)
    base::log_warning("the name service at {}:{} does not answer", options_.host, options_.port);
  retry_timer_.set(shard_.now() + delay_);
  delay_ = std::min<base::Duration>(delay_ * 2, longest_delay);
}

void EpmdRegistration::on_registered() {
  delay_ = first_delay;
  starts_ = 0;
  if (FirstResult done = std::exchange(done_, nullptr)) done({});
}

void EpmdRegistration::on_taken() {
  session_.reset();
  // A node of that name that was killed a moment ago may not have been noticed yet.
  if (done_ && shard_.now() < started_ + taken_patience)
    return retry_timer_.set(shard_.now() + taken_delay);
  if (FirstResult done = std::exchange(done_, nullptr)) {
    done(base::fail(base::ErrorCode::already_exists, "the name is registered by another node"));
    return;
  }
  base::log_error("the name {} is registered by another process", options_.node.name);
  retry(false);
}

void EpmdRegistration::on_lost() {
  retry(false);
}

class EpmdLookup::Impl final : public net::StreamEvents {
 public:
  Impl(net::Shard& shard, std::string host, std::uint16_t port, std::string name,
       base::Time deadline, Done done)
      : name_(std::move(name)),
        done_(std::move(done)),
        timer_(shard, [this] { finish(std::unexpected(EpmdFailure::unreachable)); }),
        dial_(shard, std::move(host), port, deadline, [this](auto stream) {
          if (!stream) return fail(stream.error().failure);
          stream_ = std::move(*stream);
          stream_->start(*this);
          base::Bytes request;
          codec::epmd::encode_request(request, codec::epmd::PortRequest{name_});
          stream_->send(std::move(request));
        }) {
    timer_.set(deadline);
  }

  void on_bytes(base::ByteView bytes) override {
    input_.append(bytes);
    auto response = codec::epmd::take_port_response(input_);
    if (!response || input_.size() > codec::epmd::max_request_size)
      return finish(std::unexpected(EpmdFailure::unreachable));
    if (!*response) return;
    if (!(*response)->node) return finish(std::nullopt);
    finish((*response)->node->port);
  }
  void on_closed(const std::string&) override { finish(std::unexpected(EpmdFailure::unreachable)); }

 private:
  void fail(net::DialFailure failure) {
    switch (failure) {
      case net::DialFailure::refused:
        return finish(std::unexpected(EpmdFailure::refused));
      case net::DialFailure::unresolved:
        return finish(std::unexpected(EpmdFailure::unresolved));
      default:
        return finish(std::unexpected(EpmdFailure::unreachable));
    }
  }
  /// The callback may destroy this, so it is the last thing done.
  void finish(Answer answer) {
    timer_.cancel();
    stream_.reset();
    Done done = std::exchange(done_, nullptr);
    if (done) done(answer);
  }

  std::string name_;
  Done done_;
  base::Bytes input_;
  std::unique_ptr<net::TcpStream> stream_;
  net::Timer timer_;
  net::Dial dial_;
};

EpmdLookup::EpmdLookup(net::Shard& shard, std::string host, std::uint16_t port, std::string name,
                       base::Time deadline, Done done)
    : impl_(std::make_unique<Impl>(shard, std::move(host), port, std::move(name), deadline,
                                   std::move(done))) {}
EpmdLookup::~EpmdLookup() = default;

}  // namespace warren::server
