#include "server/amqp_clients.h"

#include <fmt/format.h>

#include <charconv>

#include "base/log.h"
#include "base/random.h"
#include "codec/proxy_header.h"
#include "session/login.h"

namespace warren::server {
namespace {

/// Memory for output that is kept for the next client that needs some.
constexpr std::size_t smallest_spare = 1024;
constexpr std::size_t largest_spare = 256 * 1024;
constexpr std::size_t most_spares = 64;

/// Connections on their way to a login; more of them wait in the system's queue.
constexpr std::size_t most_newcomers = 1024;

session::amqp091::Limits limits_of(const Configuration& configuration) {
  session::amqp091::Limits limits;
  limits.channel_max = configuration.channel_max;
  limits.frame_max = configuration.frame_max;
  limits.heartbeat_s = configuration.heartbeat_s;
  limits.connection_max = configuration.listeners.connection_max;
  limits.max_message_size = configuration.max_message_size;
  limits.handshake_timeout = std::chrono::milliseconds(configuration.handshake_timeout_ms);
  limits.consumer_timeout = std::chrono::milliseconds(configuration.consumer_timeout_ms);
  return limits;
}

session::amqp091::PeerInfo peer_of(const net::TcpStream& stream, const CertificateLogin& rule) {
  const auto& remote = stream.remote();
  const auto& local = stream.local();
  session::amqp091::PeerInfo peer{remote.address, remote.port,        local.address,
                                  local.port,     remote.is_loopback, nullptr};
  const auto facts = stream.tls_facts();
  if (!facts) return peer;
  auto tls = std::make_shared<session::amqp091::TlsPeer>();
  tls->ssl_protocol = facts->protocol;
  tls->ssl_key_exchange = facts->key_exchange;
  tls->ssl_cipher = facts->cipher;
  tls->ssl_hash = facts->hash;
  if (facts->peer) {
    tls->has_certificate = true;
    tls->peer_cert_subject = facts->peer->subject;
    tls->peer_cert_issuer = facts->peer->issuer;
    tls->peer_cert_validity = facts->peer->validity;
    tls->certificate_user = certificate_user(*facts->peer, rule);
  }
  peer.tls = std::move(tls);
  return peer;
}

base::Result<std::optional<net::Entrance::Introduction>> read_introduction(base::ByteView bytes) {
  TRY_ASSIGN(const auto header, codec::proxy::read_header(bytes));
  if (!header) return std::nullopt;
  net::Entrance::Introduction introduction;
  introduction.size = header->size;
  auto endpoint = [](const codec::proxy::Endpoint& end) {
    return net::Endpoint{end.address, end.port, false};
  };
  if (header->source) introduction.remote = endpoint(*header->source);
  if (header->destination) introduction.local = endpoint(*header->destination);
  return introduction;
}

/// The internal back end is the only one, so every name stands for it.
std::vector<broker::AuthLink> auth_chain(const catalog::Catalog& catalog,
                                         const Configuration& configuration) {
  const auto internal = broker::make_internal_backend(catalog);
  std::vector<broker::AuthLink> chain;
  for (const auto& [place, link] : configuration.auth_backends)
    chain.push_back({internal, {link.authorizes.size(), internal}});
  if (chain.empty()) chain.push_back({internal, {internal}});
  return chain;
}

/// The mechanisms of `config` that there are. The order of an offer is RabbitMQ's.
std::vector<std::string> mechanisms_of(const ListenerConfig& config, bool with_external) {
  std::vector<std::string> mechanisms;
  for (const std::string& name : config.auth_mechanisms) {
    if (name == session::amqp091::external_mechanism && with_external)
      mechanisms.insert(mechanisms.begin(), name);
    if (name == "PLAIN" || name == "AMQPLAIN") mechanisms.push_back(name);
  }
  return mechanisms;
}

}  // namespace

/// One socket and the session over it.
class AmqpClients::Client final : public net::StreamEvents {
 public:
  Client(AmqpClients& owner, ClientId id, std::unique_ptr<net::TcpStream> socket,
         catalog::ConnectionId connection_id, base::Time now)
      : id(id),
        stream(std::move(socket)),
        connection(owner.environment_, peer_of(*stream, owner.config_.certificate_login),
                   connection_id, now),
        owner_(owner) {
    connection.set_waker([this] { owner_.mark_ready(*this); });
    stream->start(*this);
  }

  void on_bytes(base::ByteView bytes) override {
    owner_.mark_ready(*this);
    connection.feed(bytes, owner_.shard_.now());
    // More may be on the way in this very turn; the end of the turn looks closer.
    if (!connection.wants_input()) stream->set_reading(false);
  }
  std::span<char> room() override { return connection.room(); }
  void on_filled(std::size_t octets) override { connection.note_filled(octets); }
  void on_drained() override { owner_.mark_ready(*this); }
  void on_closed(const std::string&) override {
    connection.on_peer_closed(owner_.shard_.now());
    owner_.mark_ready(*this);
  }

  ClientId id;
  std::unique_ptr<net::TcpStream> stream;
  session::amqp091::Connection connection;
  base::Time noted_deadline = base::never;
  bool is_ready = false;
  bool is_newcomer = true;
  std::size_t pending_before = 0;  ///< output that waited when we last looked

 private:
  AmqpClients& owner_;
};

AmqpClients::AmqpClients(net::Shard& shard, cluster::Node& node, const Configuration& configuration)
    : shard_(shard),
      node_(node),
      router_(node.catalog(), base::Random(node.incarnation().value)),
      authorizer_(node.catalog(), auth_chain(node.catalog(), configuration)),
      environment_{node,
                   router_,
                   authorizer_,
                   base::secure_random_bytes,
                   limits_of(configuration),
                   {configuration.loopback_users.begin(), configuration.loopback_users.end()},
                   mechanisms_of(configuration.listeners, false)},
      config_(configuration.listeners),
      entrance_(shard, [this](auto stream) {
        if (stream) return adopt(std::move(stream));
        update_accepting();
      }) {}

AmqpClients::~AmqpClients() = default;

base::Result<> AmqpClients::listen(const ListenAddress& address,
                                   std::shared_ptr<net::TlsCredentials> credentials) {
  const bool is_tls = credentials != nullptr;
  net::Entrance::Rules rules{config_.proxy_protocol ? read_introduction : nullptr,
                             std::move(credentials),
                             std::chrono::milliseconds(config_.tls_handshake_timeout_ms)};
  TRY_ASSIGN(auto listener,
             net::Listener::open(shard_, {address.address, address.port, config_.socket},
                                 [this, rules](std::unique_ptr<net::TcpStream> stream) {
                                   entrance_.enter(std::move(stream), rules);
                                   update_accepting();
                                 }));
  listeners_.push_back({std::move(listener), is_tls});
  return {};
}

std::vector<AmqpClients::ListenerStatus> AmqpClients::listeners() const {
  std::vector<ListenerStatus> statuses;
  for (const auto& open : listeners_) statuses.push_back({open.listener->local(), open.is_tls});
  return statuses;
}

void AmqpClients::allow_external(bool allowed) {
  environment_.mechanisms = mechanisms_of(config_, allowed);
}

void AmqpClients::update_accepting() {
  const std::size_t waiting = entrance_.waiting();
  const bool is_accepting =
      newcomers_ + waiting < most_newcomers &&
      (config_.accepted_max == 0 || clients_.size() + waiting < config_.accepted_max);
  if (is_accepting == is_accepting_) return;
  is_accepting_ = is_accepting;
  for (auto& open : listeners_) open.listener->set_accepting(is_accepting);
}

void AmqpClients::note_admission(Client& client) {
  client.is_newcomer = false;
  --newcomers_;
  update_accepting();
}

void AmqpClients::adopt(std::unique_ptr<net::TcpStream> stream) {
  auto connection_id = node_.make_connection_id();
  ClientId id = connection_id.value;
  auto client = std::make_unique<Client>(*this, id, std::move(stream), connection_id, shard_.now());
  ++newcomers_;
  if (!environment_.alarm_reason.empty()) client->connection.block();
  mark_ready(*clients_.emplace(id, std::move(client)).first->second);
}

void AmqpClients::mark_ready(Client& client) {
  if (client.is_ready) return;
  client.is_ready = true;
  ready_.push_back(&client);
  if (spare_memory_.empty() || !client.connection.output().empty()) return;
  client.connection.output().lend(std::move(spare_memory_.back()));
  spare_memory_.pop_back();
}

void AmqpClients::flush(base::Time now) {
  if (!gone_.empty()) close_gone(now);
  flushing_.swap(ready_);
  for (Client* client : flushing_) {
    client->is_ready = false;
    if (flush_client(*client, now)) continue;
    if (client->is_newcomer) --newcomers_;
    deadlines_.erase({client->noted_deadline, client->id});
    clients_.erase(client->id);
    update_accepting();
  }
  flushing_.clear();
  if (environment_.client_limits.has_changes()) post_uses();
}

bool AmqpClients::flush_client(Client& client, base::Time now) {
  auto& connection = client.connection;
  connection.tick(now);
  connection.flush_turn();
  send_output(client);
  if (connection.wants_close() == session::amqp091::Connection::CloseStyle::reset &&
      client.stream->is_open()) {
    client.stream->reset_when_sent();
    connection.on_peer_closed(now);
  }
  if (client.is_newcomer && connection.is_admitted()) note_admission(client);
  if (connection.is_finished()) return false;
  client.stream->set_reading(connection.wants_input());
  // What was drained may have been answered at once.
  if (!connection.output().empty()) mark_ready(client);
  note_deadline(client);
  return true;
}

void AmqpClients::send_output(Client& client) {
  auto& connection = client.connection;
  base::OutputBuffer& output = connection.output();
  const bool has_output = !output.empty();
  if (has_output) client.stream->send_now(output);
  base::Bytes memory = output.take_memory();
  if (memory.capacity() >= smallest_spare && memory.capacity() <= largest_spare &&
      spare_memory_.size() < most_spares)
    spare_memory_.push_back(std::move(memory));
  const std::size_t pending = client.stream->pending();
  if (has_output || pending != client.pending_before) connection.on_output_drained(pending);
  client.pending_before = pending;
}

void AmqpClients::note_deadline(Client& client) {
  base::Time deadline = client.connection.deadline();
  if (deadline == client.noted_deadline) return;
  deadlines_.erase({client.noted_deadline, client.id});
  client.noted_deadline = deadline;
  if (deadline != base::never) deadlines_.emplace(deadline, client.id);
}

void AmqpClients::tick(base::Time now) {
  for (const auto& [deadline, id] : deadlines_) {
    if (deadline > now) break;
    mark_ready(*clients_.at(id));
  }
}

base::Time AmqpClients::deadline() const {
  return deadlines_.empty() ? base::never : deadlines_.begin()->first;
}

void AmqpClients::shutdown(const std::string& reason, base::Time now) {
  listeners_.clear();
  entrance_.close();
  for (auto& [id, client] : clients_) {
    client->connection.shutdown(reason, now);
    mark_ready(*client);
  }
}

void AmqpClients::set_blocked(const std::string& reason) {
  environment_.alarm_reason = reason;
  for (auto& [id, client] : clients_) {
    client->connection.block();
    mark_ready(*client);
  }
}

void AmqpClients::set_unblocked() {
  environment_.alarm_reason.clear();
  for (auto& [id, client] : clients_) {
    client->connection.unblock();
    mark_ready(*client);
  }
}

void AmqpClients::post_uses() {
  for (const session::Use& use : environment_.client_limits.take_changes()) {
    const std::string key = fmt::format("use {} {}", static_cast<int>(use.kind), use.name);
    node_.post(key, use.count == 0 ? "" : std::to_string(use.count));
  }
}

void AmqpClients::on_bulletin(const catalog::NodeName& member, const std::string& key,
                              base::ByteView text) {
  constexpr std::string_view word = "use ";
  constexpr std::size_t name_at = word.size() + 2;
  if (!key.starts_with(word) || key.size() < name_at) return;
  const int kind = key[word.size()] - '0';
  if (kind < 0 || kind >= static_cast<int>(session::use_kinds)) return;
  std::uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  environment_.client_limits.set_other(
      member, {static_cast<session::UseKind>(kind), key.substr(name_at), count});
}

void AmqpClients::on_change(const catalog::Change& change) {
  using session::UseKind;
  auto& limits = environment_.client_limits;
  if (const auto* vhost = std::get_if<catalog::VhostChanged>(&change)) {
    limits.on_limits_changed(UseKind::vhost_connections, vhost->name);
  } else if (const auto* gone = std::get_if<catalog::VhostRemoved>(&change)) {
    gone_.push_back({false, gone->name});
  } else if (const auto* user = std::get_if<catalog::UserChanged>(&change)) {
    limits.on_limits_changed(UseKind::user_connections, user->name);
    limits.on_limits_changed(UseKind::user_channels, user->name);
    if (!node_.catalog().find_user(user->name)) gone_.push_back({true, user->name});
  }
}

void AmqpClients::on_replaced() {
  std::set<std::string> users, vhosts;
  for (const auto& [id, client] : clients_) {
    const auto info = client->connection.info();
    if (!info.user.empty()) users.insert(info.user);
    if (!info.vhost.empty()) vhosts.insert(info.vhost);
  }
  for (const std::string& user : users) on_change(catalog::UserChanged{user});
  for (const std::string& vhost : vhosts) {
    if (node_.catalog().find_vhost(vhost))
      on_change(catalog::VhostChanged{vhost});
    else
      on_change(catalog::VhostRemoved{vhost});
  }
}

void AmqpClients::close_gone(base::Time now) {
  for (const Gone& gone : std::exchange(gone_, {})) {
    const std::string reason =
        fmt::format("{} '{}' is deleted", gone.is_user ? "user" : "vhost", gone.name);
    for (auto& [id, client] : clients_) {
      const auto info = client->connection.info();
      if ((gone.is_user ? info.user : info.vhost) != gone.name) continue;
      client->connection.shutdown(reason, now);
      mark_ready(*client);
    }
  }
}

std::vector<session::amqp091::ConnectionInfo> AmqpClients::connections() const {
  std::vector<session::amqp091::ConnectionInfo> infos;
  for (const auto& [id, client] : clients_) infos.push_back(client->connection.info());
  return infos;
}

std::vector<session::amqp091::ChannelInfo> AmqpClients::channels() const {
  std::vector<session::amqp091::ChannelInfo> infos;
  for (const auto& [id, client] : clients_)
    for (auto& info : client->connection.channels()) infos.push_back(std::move(info));
  return infos;
}

bool AmqpClients::close_connection(catalog::ConnectionId connection, const std::string& reason,
                                   base::Time now) {
  auto at = clients_.find(connection.value);
  if (at == clients_.end()) return false;
  at->second->connection.shutdown(reason, now);
  mark_ready(*at->second);
  return true;
}

}  // namespace warren::server
