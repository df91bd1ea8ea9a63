#include "server/http_clients.h"

#include <algorithm>

namespace warren::server {

class HttpClients::Client final : public net::StreamEvents {
 public:
  Client(HttpClients& owner, std::uint64_t id, std::unique_ptr<net::TcpStream> socket,
         base::Time now)
      : id(id),
        stream(std::move(socket)),
        connection(
            owner.handler_, stream->remote().address, [&owner, id] { owner.mark_ready(id); }, now,
            owner.options_),
        owner_(owner) {
    stream->start(*this);
  }

  void on_bytes(base::ByteView bytes) override {
    connection.feed(bytes, owner_.shard_.now());
    if (!connection.wants_input()) stream->set_reading(false);
    owner_.mark_ready(id);
  }
  void on_drained() override { owner_.mark_ready(id); }
  void on_closed(const std::string&) override {
    is_gone = true;
    owner_.mark_ready(id);
  }

  std::uint64_t id;
  std::unique_ptr<net::TcpStream> stream;
  management::HttpConnection connection;
  bool is_ready = false;
  bool is_gone = false;

 private:
  HttpClients& owner_;
};

HttpClients::HttpClients(net::Shard& shard, management::HttpHandler handler,
                         management::HttpConnection::Options options)
    : shard_(shard), handler_(std::move(handler)), options_(std::move(options)),
      entrance_(shard, [this](auto stream) {
        if (stream) adopt(std::move(stream));
      }) {}
HttpClients::~HttpClients() = default;

base::Result<> HttpClients::listen(const std::string& address, std::uint16_t port,
                                   std::shared_ptr<net::TlsCredentials> credentials) {
  const bool is_tls = credentials != nullptr;
  net::Entrance::Rules rules{nullptr, std::move(credentials)};
  TRY_ASSIGN(auto listener,
             net::Listener::open(shard_, {address, port},
                                 [this, rules](std::unique_ptr<net::TcpStream> stream) {
                                   if (clients_.size() + entrance_.waiting() < max_clients)
                                     entrance_.enter(std::move(stream), rules);
                                 }));
  listeners_.push_back({std::move(listener), is_tls});
  return {};
}

void HttpClients::adopt(std::unique_ptr<net::TcpStream> stream) {
  std::uint64_t id = ++last_id_;
  clients_.emplace(id, std::make_unique<Client>(*this, id, std::move(stream), shard_.now()));
}

void HttpClients::mark_ready(std::uint64_t id) {
  auto at = clients_.find(id);
  if (at == clients_.end() || at->second->is_ready) return;
  at->second->is_ready = true;
  ready_.push_back(id);
}

void HttpClients::flush(base::Time now) {
  std::vector<std::uint64_t> ids;
  ids.swap(ready_);
  for (std::uint64_t id : ids) {
    auto at = clients_.find(id);
    if (at == clients_.end()) continue;
    at->second->is_ready = false;
    if (!flush_client(*at->second, now)) clients_.erase(at);
  }
}

bool HttpClients::flush_client(Client& client, base::Time now) {
  if (client.is_gone) return false;
  client.connection.tick(now);
  client.stream->send(client.connection.take_output());
  if (client.connection.done()) {
    client.stream->close();
    return false;
  }
  client.stream->set_reading(client.connection.wants_input());
  return true;
}

void HttpClients::tick(base::Time now) {
  for (const auto& [id, client] : clients_)
    if (client->connection.deadline() <= now) mark_ready(id);
}

base::Time HttpClients::deadline() const {
  base::Time earliest = base::never;
  for (const auto& [id, client] : clients_)
    earliest = std::min(earliest, client->connection.deadline());
  return earliest;
}

}  // namespace warren::server
