#include "server/dist_listener.h"

#include "base/log.h"
#include "base/random.h"

namespace warren::server {

base::Result<std::unique_ptr<DistListener>> DistListener::open(net::Shard& shard, Options options) {
  std::unique_ptr<DistListener> dist(new DistListener(shard, std::move(options)));
  auto greet = [self = dist.get()](auto stream) { self->greet(std::move(stream)); };
  TRY_ASSIGN(dist->listener_, net::Listener::open(shard, dist->options_.listen, greet));
  const net::Endpoint& local = dist->listener_->local();
  if (dist->options_.listen.address.empty() || local.address == "127.0.0.1") return dist;
  // Nodes and commands of this machine call on the loopback. Another node may have that port
  // there, with another address of its own.
  auto loopback = net::Listener::open(shard, {"127.0.0.1", local.port}, greet);
  if (loopback)
    dist->loopback_listener_ = std::move(*loopback);
  else
    base::log_warning("not reachable from this machine: {}", loopback.error().text);
  return dist;
}

void DistListener::greet(std::unique_ptr<net::TcpStream> stream) {
  if (strangers_.size() >= max_strangers) return;
  std::uint64_t id = ++last_id_;
  std::string peer_address = stream->remote().address;
  auto handshake = net::Handshake::responder(options_.own_name, options_.cookie,
                                             base::secure_random_bytes(net::handshake_nonce_size));
  auto done = [this, id, peer_address](base::Result<Acquaintance> result) {
    auto run = std::move(strangers_.at(id));
    strangers_.erase(id);
    if (result) return options_.on_acquaintance(std::move(*result));
    if (result.error().code == base::ErrorCode::access_refused)
      base::log_warning("connection attempt from {} refused: {}", peer_address,
                        result.error().text);
    else
      base::log_debug("connection from {} ended: {}", peer_address, result.error().text);
  };
  strangers_.emplace(id,
                     std::make_unique<HandshakeRun>(shard_, std::move(stream), std::move(handshake),
                                                    options_.decide, std::move(done)));
}

}  // namespace warren::server
