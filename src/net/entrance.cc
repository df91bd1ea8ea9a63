#include "net/entrance.h"

#include "base/log.h"

namespace warren::net {
namespace {

/// As clients of RabbitMQ know it.
constexpr std::chrono::seconds proxy_patience(3);

}  // namespace

class Entrance::Visitor final : public StreamEvents {
 public:
  Visitor(Entrance& owner, std::unique_ptr<TcpStream> stream, const Rules& rules)
      : owner_(owner),
        stream_(std::move(stream)),
        rules_(rules),
        timer_(owner.shard_, [this] { turn_away("no answer in time"); }) {}

  void begin(Place place) {
    place_ = place;
    stream_->start(*this);
    if (!rules_.read_introduction) return secure();
    timer_.set(owner_.shard_.now() + proxy_patience);
  }

  void on_bytes(base::ByteView bytes) override {
    header_bytes_.append(bytes);
    const auto read = rules_.read_introduction(header_bytes_);
    if (!read) return turn_away(read.error().text);
    if (!*read) return;
    const Introduction& proxied = **read;
    if (proxied.local && proxied.remote) stream_->set_ends(*proxied.local, *proxied.remote);
    stream_->give_back(base::ByteView(header_bytes_).substr(proxied.size));
    header_bytes_ = {};
    if (!rules_.credentials) return let_in();
    secure();
  }
  void on_secured() override { let_in(); }
  void on_closed(const std::string& reason) override {
    // Who says nothing looks whether the port is open; balancers do that all the time.
    if (stream_->received() > 0) note(reason);
    owner_.leave(place_, nullptr);
  }

 private:
  void secure() {
    const base::Time now = owner_.shard_.now();
    stream_->secure(rules_.credentials->context(now));
    timer_.set(now + rules_.tls_timeout);
  }
  void let_in() { owner_.leave(place_, std::move(stream_)); }
  void turn_away(const std::string& reason) {
    note(reason);
    stream_->reset();
    owner_.leave(place_, nullptr);
  }
  void note(const std::string& reason) const {
    base::log_warning("connection from {}:{} was turned away: {}", stream_->remote().address,
                      stream_->remote().port, reason);
  }

  Entrance& owner_;
  Place place_;
  std::unique_ptr<TcpStream> stream_;
  Rules rules_;
  Timer timer_;
  base::Bytes header_bytes_;
};

Entrance::Entrance(Shard& shard, Done done) : shard_(shard), done_(std::move(done)) {}
Entrance::~Entrance() = default;

void Entrance::enter(std::unique_ptr<TcpStream> stream, const Rules& rules) {
  if (!rules.read_introduction && !rules.credentials) return done_(std::move(stream));
  auto visitor = std::make_unique<Visitor>(*this, std::move(stream), rules);
  Visitor& entered = *visitor;
  visitors_.push_back(std::move(visitor));
  entered.begin(std::prev(visitors_.end()));
}

void Entrance::close() {
  visitors_.clear();
}

void Entrance::leave(Place place, std::unique_ptr<TcpStream> stream) {
  // The visitor is in the middle of a call; it does nothing more after this.
  auto gone = std::move(*place);
  visitors_.erase(place);
  done_(std::move(stream));
}

}  // namespace warren::net
