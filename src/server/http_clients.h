#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "management/http_connection.h"
#include "net/entrance.h"
#include "net/listener.h"

namespace warren::server {

/// The HTTP listener and its connections; made when the management plugin's work begins.
class HttpClients {
 public:
  HttpClients(net::Shard& shard, management::HttpHandler handler,
              management::HttpConnection::Options options);
  ~HttpClients();

  /// Opens one listener more, without TLS when `credentials` is null.
  base::Result<> listen(const std::string& address, std::uint16_t port,
                        std::shared_ptr<net::TlsCredentials> credentials);
  struct OpenListener {
    std::unique_ptr<net::Listener> listener;
    bool is_tls;
  };
  const std::vector<OpenListener>& listeners() const { return listeners_; }

  /// Hands answers to the sockets; to be called while `has_ready`.
  void flush(base::Time now);
  bool has_ready() const { return !ready_.empty(); }
  void tick(base::Time now);
  base::Time deadline() const;

 private:
  class Client;
  static constexpr std::size_t max_clients = 1024;

  void adopt(std::unique_ptr<net::TcpStream> stream);
  void mark_ready(std::uint64_t id);
  bool flush_client(Client& client, base::Time now);

  net::Shard& shard_;
  management::HttpHandler handler_;
  management::HttpConnection::Options options_;
  net::Entrance entrance_;
  std::vector<OpenListener> listeners_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Client>> clients_;
  std::vector<std::uint64_t> ready_;
};

}  // namespace warren::server
