#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>

#include "base/log.h"
#include "codec/epmd_registry.h"
#include "net/listener.h"
#include "net/shard.h"
#include "net/timer.h"
#include "server/environment.h"
#include "server/server.h"

namespace warren::server {
namespace {

using codec::epmd::ConnectionId;

constexpr std::size_t max_connections = 8192;
constexpr std::chrono::seconds request_patience(10);

/// The name service: one registry behind some listeners.
class EpmdService {
 public:
  EpmdService(net::Shard& shard, std::uint16_t port)
      : shard_(shard),
        port_(port),
        registry_(port, static_cast<std::uint32_t>(std::time(nullptr))) {}

  base::Result<> listen(const std::string& address) {
    TRY_ASSIGN(auto listener,
               net::Listener::open(shard_, {address, port_},
                                   [this](auto stream) { adopt(std::move(stream)); }));
    listeners_.push_back(std::move(listener));
    return {};
  }

 private:
  class Client final : public net::StreamEvents {
   public:
    Client(EpmdService& service, ConnectionId id, std::unique_ptr<net::TcpStream> stream)
        : service_(service),
          id_(id),
          stream_(std::move(stream)),
          timer_(service.shard_, [this] { service_.remove(id_); }) {
      timer_.set(service.shard_.now() + request_patience);
      stream_->start(*this);
    }

    void on_bytes(base::ByteView bytes) override {
      auto reply = service_.registry_.feed(id_, bytes);
      // Only a registered node gets an answer and may stay.
      if (!reply.bytes.empty() && !reply.close) timer_.cancel();
      stream_->send(std::move(reply.bytes));
      if (reply.close) service_.remove(id_);
    }
    void on_closed(const std::string&) override { service_.remove(id_); }

   private:
    EpmdService& service_;
    ConnectionId id_;
    std::unique_ptr<net::TcpStream> stream_;
    net::Timer timer_;
  };

  void adopt(std::unique_ptr<net::TcpStream> stream) {
    if (clients_.size() >= max_connections) return;
    last_id_ = last_id_.next();
    clients_.emplace(last_id_, std::make_unique<Client>(*this, last_id_, std::move(stream)));
  }
  void remove(ConnectionId id) {
    registry_.on_closed(id);
    clients_.erase(id);
  }

  net::Shard& shard_;
  std::uint16_t port_;
  codec::epmd::Registry registry_;
  ConnectionId last_id_;
  std::map<ConnectionId, std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
};

}  // namespace

int run_epmd(int, char**) {
  auto environment = Environment::of_this_process();
  if (!environment) {
    fmt::print(stderr, "epmd: {}\n", environment.error().text);
    return 1;
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  net::Shard shard;
  net::Signals signals(shard, {SIGTERM, SIGINT}, [&shard](int) { shard.stop(); });
  EpmdService service(shard, environment->epmd_port);
  std::vector<std::string> addresses = environment->epmd_addresses;
  if (addresses.empty()) {
    addresses.emplace_back();
  } else if (std::ranges::find(addresses, "127.0.0.1") == addresses.end()) {
    addresses.emplace_back("127.0.0.1");
  }
  for (const std::string& address : addresses) {
    auto listening = service.listen(address);
    if (listening) continue;
    // When somebody else listens already there is nothing to do.
    if (listening.error().code == base::ErrorCode::already_exists) return 0;
    fmt::print(stderr, "epmd: {}\n", listening.error().text);
    return 1;
  }
  shard.run();
  return 0;
}

}  // namespace warren::server
