#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster/node.h"
#include "net/entrance.h"
#include "net/listener.h"
#include "server/configuration.h"
#include "session/connection.h"

namespace warren::server {

/// The AMQP 0-9-1 listeners of a running node and the connections that they accepted. Made when
/// the node runs, destroyed before it.
class AmqpClients {
 public:
  /// `node` must outlive this.
  AmqpClients(net::Shard& shard, cluster::Node& node, const Configuration& configuration);
  ~AmqpClients();

  /// Opens one listener more, without TLS when `credentials` is null; an error names the port.
  base::Result<> listen(const ListenAddress& address,
                        std::shared_ptr<net::TlsCredentials> credentials);
  struct ListenerStatus {
    net::Endpoint local;
    bool is_tls;
  };
  std::vector<ListenerStatus> listeners() const;
  /// Whether certificates may log in; where they may, it is up to the configuration too.
  void allow_external(bool allowed);
  void offer_exchange_types(const broker::ExchangeTypes& types) {
    environment_.exchange_types = types;
  }
  void trace(const std::string& vhost, bool is_on) { environment_.firehose.trace(vhost, is_on); }

  /// Hands what the connections gathered to their sockets, and gives the node what follows from
  /// it. To be called before and after the node's end_turn, for as long as `has_ready`.
  void flush(base::Time now);
  bool has_ready() const { return !ready_.empty() || !gone_.empty(); }
  void tick(base::Time now);
  base::Time deadline() const;

  /// Closes the listeners and asks all clients to go; see session's `shutdown`.
  void shutdown(const std::string& reason, base::Time now);
  bool empty() const { return clients_.empty(); }
  std::size_t count() const { return clients_.size(); }

  /// An alarm of this node or of another one is on: publishers are not read any more.
  void set_blocked(const std::string& reason);
  void set_unblocked();

  /// What another member lets us know; see cluster::Node::set_bulletin_observer.
  void on_bulletin(const catalog::NodeName& member, const std::string& key, base::ByteView text);
  /// Clients whose user or vhost is gone have to go, too: with the next flush, not in the middle of
  /// the catalog's change.
  void on_change(const catalog::Change& change);
  /// The same for whatever may have changed in a catalog that was replaced.
  void on_replaced();

  std::vector<session::amqp091::ConnectionInfo> connections() const;
  std::vector<session::amqp091::ChannelInfo> channels() const;
  bool close_connection(catalog::ConnectionId connection, const std::string& reason,
                        base::Time now);
  broker::Authorizer& authorizer() { return authorizer_; }
  broker::Router& router() { return router_; }

 private:
  class Client;
  using ClientId = std::uint64_t;

  void adopt(std::unique_ptr<net::TcpStream> stream);
  /// Lets those who connect wait while too many have not logged in yet.
  void update_accepting();
  void note_admission(Client& client);
  void mark_ready(Client& client);
  /// False when the client is gone.
  bool flush_client(Client& client, base::Time now);
  void send_output(Client& client);
  void note_deadline(Client& client);
  /// Lets other members know what is used of what is limited.
  void post_uses();
  void close_gone(base::Time now);

  net::Shard& shard_;
  cluster::Node& node_;
  broker::Router router_;
  broker::Authorizer authorizer_;
  session::amqp091::Environment environment_;
  const ListenerConfig& config_;
  net::Entrance entrance_;
  struct OpenListener {
    std::unique_ptr<net::Listener> listener;
    bool is_tls;
  };
  std::vector<OpenListener> listeners_;
  std::size_t newcomers_ = 0;  ///< clients that have not been admitted yet
  bool is_accepting_ = true;
  std::map<ClientId, std::unique_ptr<Client>> clients_;
  /// Those to look at in this turn, so that idle ones cost nothing. Clients go only in `flush`.
  std::vector<Client*> ready_;
  std::vector<Client*> flushing_;
  /// Memory for the output of clients that have some, so that idle ones hold none.
  std::vector<base::Bytes> spare_memory_;
  std::set<std::pair<base::Time, ClientId>> deadlines_;
  struct Gone {
    bool is_user = false;  ///< or a vhost
    std::string name;
  };
  std::vector<Gone> gone_;
};

}  // namespace warren::server
