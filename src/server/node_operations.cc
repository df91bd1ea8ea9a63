// What management asks of the node's process.
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/random.h"
#include "management/plugins.h"
#include "server/node_directory.h"
#include "server/node_process.h"
#include "server/process_facts.h"

namespace warren::server {
namespace {

using management::AppState;


std::unexpected<base::Error> not_running() {
  return base::fail(base::ErrorCode::unavailable, "the application does not run");
}

management::ListenerInfo listener_info(const net::Endpoint& endpoint, std::string protocol) {
  bool is_v6 = endpoint.address.find(':') != std::string::npos;
  return {is_v6 ? "[" + endpoint.address + "]" : endpoint.address, endpoint.port,
          std::move(protocol)};
}

}  // namespace

cluster::Node* NodeProcess::running_node() const {
  if (application_.state() != AppState::running) return nullptr;
  return const_cast<Application&>(application_).node();
}

broker::Gateway* NodeProcess::gateway() {
  return running_node();
}
broker::Authorizer* NodeProcess::authorizer() {
  return running_node() ? &application_.clients()->authorizer() : nullptr;
}
broker::Router* NodeProcess::router() {
  return running_node() ? &application_.clients()->router() : nullptr;
}

void NodeProcess::reset(Done done) {
  membership_.reset(std::move(done));
}
void NodeProcess::force_reset(Done done) {
  membership_.force_reset(std::move(done));
}
void NodeProcess::join_cluster(const catalog::NodeName& target, bool ram, Done done) {
  membership_.join(target, ram, std::move(done));
}
void NodeProcess::change_cluster_node_type(catalog::NodeKind kind, Done done) {
  membership_.change_kind(kind, std::move(done));
}
void NodeProcess::force_boot(Done done) {
  done(server::force_boot(settings_.environment));
}
void NodeProcess::forget_cluster_node(const catalog::NodeName& member, Done done) {
  membership_.forget(member, std::move(done));
}

void NodeProcess::sync_queue(catalog::QueueId queue, Done done) {
  cluster::Node* node = running_node();
  const auto* known = node ? node->catalog().find_queue(queue) : nullptr;
  if (!known) return done(base::fail(base::ErrorCode::not_found, "no such queue"));
  if (known->in_sync.size() == known->replicas.size()) return done({});
  // Replicas catch up by themselves, at once; what is left is to wait for them.
  constexpr std::chrono::milliseconds pause(50);
  after(pause,
        [this, queue, done = std::move(done)]() mutable { sync_queue(queue, std::move(done)); });
}

void NodeProcess::propose(const catalog::Command& command, cluster::Node::ProposeDone done) {
  if (cluster::Node* node = running_node()) return node->propose(command, std::move(done));
  done(not_running());
}

void NodeProcess::query(const catalog::NodeName& member, base::Bytes request,
                        cluster::Node::QueryDone done) {
  if (cluster::Node* node = running_node())
    return node->query(member, std::move(request), std::move(done));
  done(not_running());
}

std::vector<catalog::NodeName> NodeProcess::running_members() const {
  cluster::Node* node = running_node();
  if (!node) return {};
  auto members = node->running_members();
  std::sort(members.begin(), members.end());
  return members;
}

std::vector<catalog::NodeName> NodeProcess::partitioned_members() const {
  cluster::Node* node = running_node();
  return node ? node->partitioned_members() : std::vector<catalog::NodeName>();
}

std::vector<cluster::QueueStatus> NodeProcess::led_queues() const {
  cluster::Node* node = running_node();
  return node ? node->led_queues() : std::vector<cluster::QueueStatus>();
}

std::vector<management::ConnectionInfo> NodeProcess::connections() const {
  if (!running_node()) return {};
  return const_cast<Application&>(application_).clients()->connections();
}

std::vector<management::ChannelInfo> NodeProcess::channels() const {
  if (!running_node()) return {};
  return const_cast<Application&>(application_).clients()->channels();
}

bool NodeProcess::close_connection(catalog::ConnectionId connection, const std::string& reason) {
  if (!running_node()) return false;
  return application_.clients()->close_connection(connection, reason, shard_.now());
}

management::ProcessInfo NodeProcess::process_info() const {
  const Environment& environment = settings_.environment;
  management::ProcessInfo info;
  info.os_pid = getpid();
  info.uptime_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(shard_.now() - started_).count();
  info.processors = static_cast<std::uint32_t>(std::max(1l, sysconf(_SC_NPROCESSORS_ONLN)));
  info.memory_used = resident_bytes();
  info.memory_watermark = memory_watermark_.is_absolute ? 0 : memory_watermark_.share;
  info.memory_limit = alarms_.memory_limit();
  info.memory_alarm = alarms_.memory();
  info.disk_alarm = alarms_.disk();
  info.disk_free = free_disk_bytes(environment.data_dir);
  info.disk_free_limit = alarms_.disk_free_limit();
  for (const auto& [resource, node] : alarms_.all()) info.alarms.push_back({resource, node});
  info.fd_used = open_files();
  info.fd_limit = open_files_limit();
  info.sockets_limit = info.fd_limit > 100 ? (info.fd_limit - 100) * 9 / 10 : 0;
  info.data_directory = environment.data_dir.string();
  info.log_files.push_back(environment.log_file);
  for (const auto& file : environment.config_files) info.config_files.push_back(file.string());
  info.enabled_plugins_file = environment.enabled_plugins_file.string();
  if (running_node()) {
    const AmqpClients* clients = const_cast<Application&>(application_).clients();
    info.sockets_used = clients->count();
    for (const auto& listener : clients->listeners())
      info.listeners.push_back(
          listener_info(listener.local, listener.is_tls ? "amqp/ssl" : "amqp"));
  }
  if (http_)
    for (const auto& open : http_->listeners())
      info.listeners.push_back(
          listener_info(open.listener->local(), open.is_tls ? "https" : "http"));
  if (dist_) info.listeners.push_back(listener_info(dist_->local(), "clustering"));
  for (const auto& plugin : management::known_plugins()) {
    bool is_explicit = std::ranges::find(enabled_plugins_, plugin.name) != enabled_plugins_.end();
    bool is_active = is_plugin_active(plugin.name);
    info.plugins.push_back({std::string(plugin.name), is_explicit, is_active && !is_explicit,
                            is_active && running_node() != nullptr});
  }
  return info;
}

std::vector<std::string> NodeProcess::loopback_users() const {
  const auto& users = settings_.configuration.loopback_users;
  return {users.begin(), users.end()};
}

void NodeProcess::apply_plugins(const std::vector<std::string>& enabled, Done done) {
  enable_plugins(enabled);
  if (!running_node()) return done({});
  offer_plugins();
  if (is_plugin_active("rabbitmq_management")) return done(serve_http());
  // Perhaps it is an HTTP request that asks: its connection goes when this turn is over.
  after(base::Duration(0), [this] {
    if (!is_plugin_active("rabbitmq_management")) http_.reset();
  });
  done({});
}

void NodeProcess::trace(const std::string& vhost, bool is_on) {
  if (is_on)
    traced_vhosts_.insert(vhost);
  else
    traced_vhosts_.erase(vhost);
  base::log_info("tracing of vhost '{}' is {}", vhost, is_on ? "on" : "off");
  if (running_node()) application_.clients()->trace(vhost, is_on);
}

std::int64_t NodeProcess::wall_clock_ms() const {
  return server::wall_clock_ms();
}

std::string NodeProcess::secure_random(std::size_t size) {
  return base::secure_random_bytes(size);
}

void NodeProcess::after(base::Duration delay, std::function<void()> call) {
  auto at = delayed_calls_.emplace(delayed_calls_.end());
  *at = std::make_unique<net::Timer>(shard_, [this, at, call = std::move(call)] {
    auto timer = std::move(*at);
    delayed_calls_.erase(at);
    call();
  });
  (*at)->set(shard_.now() + delay);
}

}  // namespace warren::server
