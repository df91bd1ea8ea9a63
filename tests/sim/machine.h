#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "cluster/node.h"
#include "trial_disk.h"
#include "world.h"

namespace warren::sim {

/// A host with its disk and at most one process, which runs a node. The node gets its inputs only
/// through `input`: they wait while the process is paused and are dropped when it has ended.
class Machine final : public storage::DiskEvents {
 public:
  struct Settings {
    base::Duration link_silence = std::chrono::seconds(3);
    base::Duration election_timeout = std::chrono::milliseconds(500);
    base::Duration wait_for_members = std::chrono::seconds(30);
    std::size_t file_bytes = 256 * 1024;
    std::size_t segment_bytes = 64 * 1024;
    std::size_t read_bytes = 16 * 1024;
    std::uint64_t memory_budget = 64 << 20;
    base::Duration slowest_disk = std::chrono::milliseconds(5);
  };
  using Input = std::function<void(cluster::Node&)>;

  Machine(World& world, catalog::NodeName name);
  ~Machine() override;

  const catalog::NodeName& name() const { return name_; }
  Settings& settings() { return settings_; }
  const storage::MemoryFiles& files() const { return *files_; }
  bool is_on() const { return is_on_; }
  /// Whether the process is there. It may be paused.
  bool is_alive() const { return node_ != nullptr; }
  bool is_paused() const { return is_paused_; }
  /// Runs, is not paused and serves clients.
  bool is_serving() const;
  cluster::Node* node() { return node_.get(); }
  const cluster::Node* node() const { return node_.get(); }
  /// Another number for each process.
  std::uint64_t run() const { return run_; }

  /// Makes the empty disk that of a member.
  void prepare_joined(const cluster::NodeFacts& facts);
  void start();
  void stop();
  void kill();
  /// The process dies, the host is off until `power_on`.
  void lose_power();
  void power_on();
  void pause();
  void resume();
  /// Told of each change of the catalog on the machine's node.
  using ChangeObserver = std::function<void(Machine&, const catalog::Change&)>;
  void set_change_observer(ChangeObserver observer) { change_observer_ = std::move(observer); }
  /// From now on the disk refuses everything.
  void break_disk();

  void input(std::uint64_t run, Input input);
  /// Whether it should run: a process that ended by itself is started again.
  void set_wanted(bool is_wanted) { is_wanted_ = is_wanted; }

 private:
  void on_disk_done(storage::DiskToken token, base::Result<> result) override;
  void on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) override;
  void turn();
  void follow_phase();
  void set_timer();
  void pump_disk();
  void end_process(std::string_view how);
  cluster::NodeOptions node_options() const;

  World& world_;
  catalog::NodeName name_;
  Settings settings_;
  std::shared_ptr<storage::MemoryFiles> files_ = std::make_shared<storage::MemoryFiles>();
  std::unique_ptr<TrialDisk> disk_;
  std::unique_ptr<cluster::Node> node_;
  std::uint64_t run_ = 0;
  bool is_on_ = true;
  bool is_paused_ = false;
  bool is_wanted_ = false;
  bool is_disk_pumping_ = false;
  cluster::NodePhase last_phase_ = cluster::NodePhase::starting;
  base::Time timer_ = base::never;
  base::Time last_turn_{};
  std::uint64_t turns_at_once_ = 0;
  std::deque<Input> waiting_;
  ChangeObserver change_observer_;
};

}  // namespace warren::sim
