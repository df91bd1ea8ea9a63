#pragma once

#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "management/command_handler.h"
#include "management/http_api.h"
#include "management/operations.h"
#include "server/alarms.h"
#include "server/application.h"
#include "server/control_endpoint.h"
#include "server/dist_listener.h"
#include "server/epmd_client.h"
#include "server/http_clients.h"
#include "server/membership.h"

namespace warren::server {

/// Everything that lives in a node's process, on one shard, and how it hangs together: the name
/// in epmd, the port for nodes and commands, the application, the HTTP API.
class NodeProcess final : private management::Operations {
 public:
  /// `shard` and `settings` must outlive it.
  NodeProcess(net::Shard& shard, const Settings& settings);
  ~NodeProcess() override;

  /// Opens the node's port and registers its name. `done` is called once: with already_exists when
  /// the name is taken.
  void open(std::function<void(base::Result<>)> done);
  /// Starts the application; `done` as in Application.
  void start_application(Done done) { application_.start(std::move(done)); }
  /// Stops the application and then ends the shard's run. Safe to call more than once.
  void shut_down();
  /// What the process is to end with: 1 after a failure that came while clients were served.
  int exit_status() const { return exit_status_; }

 private:
  const catalog::NodeName& node_name() const override { return settings_.environment.node_name; }
  management::AppState app_state() const override { return application_.state(); }
  std::string app_failure() const override { return application_.failure(); }
  broker::Gateway* gateway() override;
  broker::Authorizer* authorizer() override;
  broker::Router* router() override;
  void stop_app(Done done) override { application_.stop(std::move(done)); }
  void start_app(Done done) override { application_.start(std::move(done)); }
  void stop(Done done) override;
  void reset(Done done) override;
  void force_reset(Done done) override;
  void join_cluster(const catalog::NodeName& target, bool ram, Done done) override;
  void change_cluster_node_type(catalog::NodeKind kind, Done done) override;
  void force_boot(Done done) override;
  void forget_cluster_node(const catalog::NodeName& member, Done done) override;
  void sync_queue(catalog::QueueId queue, Done done) override;
  void propose(const catalog::Command& command, cluster::Node::ProposeDone done) override;
  void query(const catalog::NodeName& member, base::Bytes request,
             cluster::Node::QueryDone done) override;
  std::vector<catalog::NodeName> running_members() const override;
  std::vector<catalog::NodeName> partitioned_members() const override;
  std::vector<cluster::QueueStatus> led_queues() const override;
  std::vector<management::ConnectionInfo> connections() const override;
  std::vector<management::ChannelInfo> channels() const override;
  bool close_connection(catalog::ConnectionId connection, const std::string& reason) override;
  management::ProcessInfo process_info() const override;
  std::vector<std::string> loopback_users() const override;
  const broker::ExchangeTypes& exchange_types() const override { return exchange_types_; }
  void apply_plugins(const std::vector<std::string>& enabled, Done done) override;
  void set_memory_watermark(const management::Threshold& threshold) override;
  void set_disk_free_limit(const management::Threshold& threshold) override;
  void trace(const std::string& vhost, bool is_on) override;
  bool is_traced(std::string_view vhost) const override { return traced_vhosts_.contains(vhost); }
  base::Time now() const override { return shard_.now(); }
  std::int64_t wall_clock_ms() const override;
  std::string secure_random(std::size_t size) override;
  void after(base::Duration delay, std::function<void()> call) override;

  void end_turn();
  // alarm_watch.cc
  void check_alarms(base::Time now);
  void look_at_resources();
  void on_alarm_changes(const Alarms::Changes& changes);
  void on_bulletin(const catalog::NodeName& member, const std::string& key, base::ByteView text);
  void begin_alarms();
  void publish_alarms();
  void on_app_state(management::AppState state);
  void on_acquaintance(Acquaintance acquaintance);
  void on_control_request(const std::string& request, const ControlEndpoint::Reply& reply);
  base::Result<> serve_http();
  bool is_plugin_active(std::string_view name) const;
  void enable_plugins(const std::vector<std::string>& enabled);
  /// Tells the clients what the plugins bring for them; only while there are clients.
  void offer_plugins();
  void end_when_drained();
  cluster::Node* running_node() const;

  net::Shard& shard_;
  const Settings& settings_;
  base::Time started_;
  Application application_;
  Membership membership_;
  management::CommandHandler commands_;
  management::HttpApi http_api_;
  ControlEndpoint control_;
  std::unique_ptr<HttpClients> http_;
  std::unique_ptr<DistListener> dist_;
  std::unique_ptr<EpmdRegistration> registration_;
  std::vector<std::string> enabled_plugins_;
  std::set<std::string, std::less<>> active_plugins_;
  broker::ExchangeTypes exchange_types_;
  std::set<std::string, std::less<>> traced_vhosts_;
  std::list<std::unique_ptr<net::Timer>> delayed_calls_;
  net::Timer deadline_timer_;
  Alarms alarms_;
  management::Threshold memory_watermark_;
  base::Time next_alarm_check_{};
  bool is_shutting_down_ = false;
  bool is_ending_ = false;
  int exit_status_ = 0;
};

}  // namespace warren::server
