#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cluster/node.h"
#include "management/operations.h"
#include "net/handshake.h"
#include "net/timer.h"
#include "server/amqp_clients.h"
#include "server/configuration.h"
#include "server/environment.h"
#include "server/file_disk.h"
#include "server/links.h"

namespace warren::server {

/// What the process was started with; lives as long as it.
struct Settings {
  Environment environment;
  Configuration configuration;
  std::string cookie;
};

/// The broker within the process, which can be stopped and started again (stop_app, start_app):
/// the node over its files, its links to other members and its AMQP clients.
class Application final : public LinkEvents, public storage::DiskEvents {
 public:
  using Done = std::function<void(base::Result<>)>;

  /// `settings` and `shard` must outlive it.
  Application(net::Shard& shard, const Settings& settings);
  ~Application() override;

  /// Called with each change of the state, after it.
  void set_observer(std::function<void(management::AppState)> observer);
  /// What has to work before clients are served, such as other listeners: asked at each start.
  void set_prelude(std::function<base::Result<>()> prelude) { prelude_ = std::move(prelude); }
  /// Answers queries of other members, while it runs.
  void set_query_handler(cluster::Node::QueryHandler handler);

  /// Hears what other members let us know, while it runs.
  void set_bulletin_handler(cluster::Node::BulletinObserver handler) {
    bulletin_handler_ = std::move(handler);
  }

  management::AppState state() const { return state_; }
  const std::string& failure() const { return failure_; }
  /// Whether the failure came while clients were served (the disk failed): what the process holds
  /// is not to be trusted any more.
  bool has_crashed() const { return has_crashed_; }

  /// `done` is called once: when clients are served, or with the failure. At once when running.
  void start(Done done);
  /// `done` is called when nothing runs any more; at once when that is so already.
  void stop(Done done);

  /// Null unless the state is starting, running or stopping.
  cluster::Node* node() { return node_.get(); }
  /// Null unless the state is running or stopping.
  AmqpClients* clients() { return clients_.get(); }

  /// What to answer to members that want to link, or ask.
  std::pair<net::Admission, std::string> admission() const;
  void adopt_link(Acquaintance acquaintance);

  /// The disk is so full that the log lives on its reserve; see FileDisk.
  bool is_disk_short() const { return disk_ && disk_->is_short(); }
  void keep_disk_reserve() {
    if (disk_) disk_->keep_reserve();
  }

  /// The end of a loop turn: brings sessions, node, disk and links into agreement. True when
  /// there is more to do at once.
  bool end_turn(base::Time now);
  void tick(base::Time now);
  base::Time deadline() const;

 private:
  void on_link_up(const catalog::NodeName& peer) override;
  void on_link_bytes(const catalog::NodeName& peer, base::ByteView bytes) override;
  void on_link_down(const catalog::NodeName& peer) override;
  void on_peer_dead(const catalog::NodeName& peer) override;
  void on_disk_done(storage::DiskToken token, base::Result<> result) override;
  void on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) override;

  base::Result<> make_node();
  base::Result<cluster::NodeOptions> node_options() const;
  void follow_phase(base::Time now);
  void become_running();
  void become_failed(std::string text);
  void finish_stopping(base::Time now);
  void stop_observing();
  void tear_down();
  void serve_links(base::Time now);
  void set_state(management::AppState state);
  base::Result<> open_listeners();
  /// Of a node that never ran before: what its configuration wants in the catalog.
  void apply_first_settings();

  net::Shard& shard_;
  const Settings& settings_;
  management::AppState state_ = management::AppState::stopped;
  std::string failure_;
  bool has_crashed_ = false;
  bool is_new_ = false;
  std::function<void(management::AppState)> observer_;
  std::function<base::Result<>()> prelude_;
  cluster::Node::QueryHandler query_handler_;
  cluster::Node::BulletinObserver bulletin_handler_;
  std::vector<Done> start_waiters_;
  std::vector<Done> stop_waiters_;
  base::Time clients_deadline_ = base::never;  ///< of a stop: clients that stay are cut off

  std::unique_ptr<FileDisk> disk_;
  std::unique_ptr<cluster::Node> node_;
  std::unique_ptr<Links> links_;
  std::unique_ptr<AmqpClients> clients_;
};

}  // namespace warren::server
