#include "server/application.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/log.h"
#include "broker/password.h"
#include "server/node_directory.h"

namespace warren::server {
namespace {

using management::AppState;

constexpr std::string_view shutdown_reason =
    "broker forced connection closure with reason 'shutdown'";
/// How long clients may take to answer connection.close when the application stops.
constexpr std::chrono::milliseconds goodbye_patience(500);
/// Rounds of clients and node in one turn; the rest waits for the next, after the sockets.
constexpr int max_rounds = 4;
constexpr std::uint16_t default_amqp_port = 5672;

std::string listener_text(const ListenAddress& address) {
  const bool is_v6 = address.address.find(':') != std::string::npos;
  if (address.address.empty()) return fmt::format("[::]:{}", address.port);
  return fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), address.address, address.port);
}

std::uint64_t random_number() {
  return base::ByteReader(base::secure_random_bytes(8)).u64();
}

}  // namespace

Application::Application(net::Shard& shard, const Settings& settings)
    : shard_(shard), settings_(settings) {}

Application::~Application() {
  tear_down();
}

void Application::set_observer(std::function<void(AppState)> observer) {
  observer_ = std::move(observer);
}

void Application::set_query_handler(cluster::Node::QueryHandler handler) {
  query_handler_ = std::move(handler);
}

void Application::set_state(AppState state) {
  state_ = state;
  if (observer_) observer_(state);
}

void Application::start(Done done) {
  if (state_ == AppState::running) return done({});
  if (state_ == AppState::stopping)
    return done(base::fail(base::ErrorCode::not_allowed, "the application is stopping"));
  start_waiters_.push_back(std::move(done));
  if (state_ == AppState::starting) return;
  failure_.clear();
  if (auto made = make_node(); !made) return become_failed(made.error().text);
  set_state(AppState::starting);
}

base::Result<> Application::make_node() {
  TRY_ASSIGN(disk_, FileDisk::open(shard_, log_directory(settings_.environment), *this));
  TRY_ASSIGN(auto files, disk_->list());
  is_new_ = files.empty();
  disk_->keep_reserve();
  TRY_ASSIGN(auto options, node_options());
  TRY_ASSIGN(node_, cluster::Node::start(std::move(options), *disk_, base::Random(random_number()),
                                         shard_));
  if (query_handler_) node_->set_query_handler(query_handler_);
  const Environment& environment = settings_.environment;
  links_ = std::make_unique<Links>(
      shard_,
      Caller{environment.node_name, settings_.cookie, environment.host, environment.epmd_port},
      *this);
  return {};
}

base::Result<cluster::NodeOptions> Application::node_options() const {
  const Configuration& configuration = settings_.configuration;
  cluster::NodeOptions options;
  options.name = settings_.environment.node_name;
  options.incarnation_floor = {static_cast<std::uint64_t>(std::time(nullptr))};
  options.wait_for_members = std::chrono::milliseconds(configuration.wait_for_members_ms);
  options.memory_budget = configuration.message_memory;
  options.log.file_bytes = FileDisk::reserve_bytes;
  options.first_user.name = configuration.default_user;
  TRY_ASSIGN(options.first_user.password_hash,
             broker::make_password_hash(configuration.default_pass,
                                        base::secure_random_bytes(broker::password_salt_bytes)));
  return options;
}

void Application::stop(Done done) {
  if (state_ == AppState::stopped) return done({});
  stop_waiters_.push_back(std::move(done));
  if (state_ == AppState::stopping) return;
  if (state_ == AppState::failed) return finish_stopping(shard_.now());
  base::log_info("stopping the application");
  set_state(AppState::stopping);
  base::Time now = shard_.now();
  clients_deadline_ = now + goodbye_patience;
  if (clients_) clients_->shutdown(std::string(shutdown_reason), now);
  node_->request_stop();
}

std::pair<net::Admission, std::string> Application::admission() const {
  const std::string& name = settings_.environment.node_name;
  switch (state_) {
    case AppState::starting:
    case AppState::running:
      return {net::Admission::accepted, {}};
    case AppState::stopping:
      return {net::Admission::refused, fmt::format("{} is stopping", name)};
    default:
      return {net::Admission::application_stopped,
              fmt::format("the application of {} is stopped", name)};
  }
}

void Application::adopt_link(Acquaintance acquaintance) {
  if (links_) links_->adopt(std::move(acquaintance));
}

bool Application::end_turn(base::Time now) {
  if (!node_) return false;
  for (int round = 0; round < max_rounds && node_; ++round) {
    if (clients_) clients_->flush(now);
    node_->set_disk_short(disk_->is_short());
    node_->end_turn();
    disk_->flush();
    serve_links(now);
    follow_phase(now);
    if (!clients_ || !clients_->has_ready()) break;
  }
  return clients_ && clients_->has_ready();
}

void Application::tick(base::Time now) {
  if (node_ && node_->deadline() <= now) node_->tick();
  if (clients_) clients_->tick(now);
}

base::Time Application::deadline() const {
  base::Time earliest = base::never;
  if (node_) earliest = std::min(earliest, node_->deadline());
  if (clients_) earliest = std::min(earliest, clients_->deadline());
  if (state_ == AppState::stopping) earliest = std::min(earliest, clients_deadline_);
  return earliest;
}

void Application::serve_links(base::Time) {
  for (auto& [peer, bytes] : node_->take_frames()) links_->send(peer, std::move(bytes));
  for (const auto& peer : node_->take_hang_ups()) links_->hang_up(peer);
  for (const auto& [peer, bytes] : links_->backlogs()) node_->set_link_backlog(peer, bytes);
  if (!node_->take_topology_changed()) return;
  auto to_dial = node_->peers_to_dial();
  // The member with the smaller name opens the link; the other one only asks what became of it.
  std::vector<catalog::NodeName> to_probe;
  auto linked = node_->linked_members();
  for (const auto& member : node_->running_members())
    if (member < node_->node_name() &&
        std::find(linked.begin(), linked.end(), member) == linked.end())
      to_probe.push_back(member);
  links_->set_wanted(to_dial, to_probe);
}

void Application::follow_phase(base::Time now) {
  switch (node_->phase()) {
    case cluster::NodePhase::starting:
      return;
    case cluster::NodePhase::running:
      if (state_ == AppState::starting) become_running();
      return;
    case cluster::NodePhase::stopping:
      return;
    case cluster::NodePhase::stopped:
      if (state_ == AppState::stopping) finish_stopping(now);
      return;
    case cluster::NodePhase::failed:
      if (state_ == AppState::stopping) return finish_stopping(now);
      return become_failed(node_->failure());
  }
}

void Application::become_running() {
  clients_ = std::make_unique<AmqpClients>(shard_, *node_, settings_.configuration);
  node_->set_change_observer(
      [this](const catalog::Change& change) { clients_->on_change(change); });
  node_->set_replacement_observer([this] { clients_->on_replaced(); });
  node_->set_bulletin_observer(
      [this](const auto& member, const auto& key, base::ByteView text) {
        clients_->on_bulletin(member, key, text);
        if (bulletin_handler_) bulletin_handler_(member, key, text);
      });
  auto opened = prelude_ ? prelude_() : base::Result<>();
  if (opened) opened = open_listeners();
  if (!opened) {
    std::string text = opened.error().text;
    stop_observing();
    return become_failed(std::move(text));
  }
  if (is_new_) apply_first_settings();
  set_state(AppState::running);
  for (Done& done : std::exchange(start_waiters_, {})) done({});
}

void Application::apply_first_settings() {
  const Configuration& configuration = settings_.configuration;
  auto propose = [this](const catalog::Command& command) {
    node_->propose(command, [](auto result) {
      if (!result) base::log_error("a first setting failed: {}", result.error().text);
    });
  };
  if (!configuration.cluster_name.empty())
    propose(catalog::SetGlobalParameter{"cluster_name", configuration.cluster_name});
  if (configuration.default_user_tags)
    propose(catalog::SetUserTags{configuration.default_user, *configuration.default_user_tags});
  if (configuration.default_vhost != "/")
    propose(catalog::PutVhost{{configuration.default_vhost, {}, {}}});
  const auto& [configure, write, read] = configuration.default_permissions;
  propose(catalog::SetPermission{
      {configuration.default_user, configuration.default_vhost, configure, write, read}});
}

base::Result<> Application::open_listeners() {
  const Environment& environment = settings_.environment;
  const Configuration& configuration = settings_.configuration;
  std::vector<ListenAddress> addresses;
  if (environment.node_port || !environment.node_ip_address.empty()) {
    addresses.push_back(
        {environment.node_ip_address, environment.node_port.value_or(default_amqp_port)});
  } else {
    addresses =
        configuration.amqp_listeners.value_or(std::vector<ListenAddress>{{{}, default_amqp_port}});
  }
  for (const ListenAddress& address : addresses) {
    TRY(clients_->listen(address, nullptr));
    base::log_info("started TCP listener on {}", listener_text(address));
  }
  const ListenerConfig& listeners = configuration.listeners;
  if (listeners.amqp_tls.empty()) return {};
  TRY_ASSIGN(auto credentials, net::TlsCredentials::open(listeners.tls));
  for (const ListenAddress& address : listeners.amqp_tls) {
    TRY(clients_->listen(address, credentials));
    base::log_info("started TLS (SSL) listener on {}", listener_text(address));
  }
  return {};
}

void Application::become_failed(std::string text) {
  has_crashed_ = state_ == AppState::running;
  tear_down();
  failure_ = std::move(text);
  base::log_error("the application {}: {}", has_crashed_ ? "has ended" : "could not start",
                  failure_);
  set_state(AppState::failed);
  for (Done& done : std::exchange(start_waiters_, {}))
    done(base::fail(base::ErrorCode::unavailable, failure_));
}

void Application::finish_stopping(base::Time now) {
  if (clients_ && !clients_->empty() && now < clients_deadline_) return;
  tear_down();
  base::log_info("the application is stopped");
  set_state(AppState::stopped);
  for (Done& done : std::exchange(start_waiters_, {}))
    done(base::fail(base::ErrorCode::unavailable, "the application was stopped"));
  for (Done& done : std::exchange(stop_waiters_, {})) done({});
}

/// The clients go, and with them whoever heard of changes.
void Application::stop_observing() {
  if (node_) {
    node_->set_change_observer(nullptr);
    node_->set_replacement_observer(nullptr);
    node_->set_bulletin_observer(nullptr);
  }
  clients_.reset();
}

void Application::tear_down() {
  stop_observing();
  links_.reset();
  node_.reset();
  disk_.reset();
  clients_deadline_ = base::never;
}

void Application::on_link_up(const catalog::NodeName& peer) {
  if (node_) node_->on_link_up(peer);
}
void Application::on_link_bytes(const catalog::NodeName& peer, base::ByteView bytes) {
  if (node_) node_->on_link_bytes(peer, bytes);
}
void Application::on_link_down(const catalog::NodeName& peer) {
  if (node_) node_->on_link_down(peer);
}
void Application::on_peer_dead(const catalog::NodeName& peer) {
  if (node_) node_->on_peer_dead(peer);
}
void Application::on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) {
  if (node_) node_->on_disk_read(token, std::move(result));
}

void Application::on_disk_done(storage::DiskToken token, base::Result<> result) {
  if (node_) node_->on_disk_done(token, std::move(result));
}

}  // namespace warren::server
