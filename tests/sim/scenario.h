#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/admin.h"
#include "sim/consumer.h"
#include "sim/delayer.h"
#include "sim/network.h"
#include "sim/publisher.h"

namespace warren::sim {

/// The faults of a scenario, by how often each comes up.
struct FaultWeights {
  unsigned kill = 0;
  unsigned lose_power = 0;
  unsigned kill_all = 0;
  unsigned lose_power_all = 0;
  unsigned stop = 0;
  unsigned stop_all = 0;
  unsigned pause = 0;
  unsigned part = 0;
  unsigned isolate = 0;
  unsigned break_link = 0;
  unsigned break_disk = 0;
  unsigned policy = 0;
  unsigned move_client = 0;
  unsigned delete_queue = 0;
  unsigned purge = 0;
};

/// One run: a cluster is put together, clients work on it while things break, everything is
/// mended, and then all promises are checked. The seed decides everything.
class Scenario {
 public:
  explicit Scenario(WorldOptions options);

  /// Empty when every promise was kept.
  std::optional<std::string> run();
  std::uint64_t trace_hash() const { return world_.trace_hash(); }
  std::string summary();

 private:
  void choose();
  void make_cluster();
  void set_up(Machine& machine);
  void on_node_changed(Machine& machine);
  void join(const catalog::NodeName& name, catalog::NodeKind kind);
  void make_clients();
  void start_clients();
  void plan_fault();
  void cause_fault();
  void kill(Machine& machine, bool is_power);
  void start_later(Machine& machine);
  void change_policy();
  Machine* some_machine();

  void mend();
  bool is_everybody_running();
  void settle_down();
  void drain();
  void check_agreement();
  std::optional<std::string> find_catalog_difference();
  std::optional<std::string> find_replica_difference();
  void trace_replicas(Machine& machine);
  void restart_everything();
  bool are_queues_empty();
  std::string describe_state();

  World world_;
  Ledger ledger_;
  FaultWeights weights_;
  std::size_t first_nodes_ = 2;
  bool has_late_joiner_ = false;
  bool has_ram_node_ = false;
  base::Duration chaos_ = std::chrono::seconds(20);
  Machine::Settings settings_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Publisher*> publishers_;
  std::vector<Consumer*> consumers_;
  Admin* admin_ = nullptr;
  Delayer* delayer_ = nullptr;
  std::vector<std::string> queues_;
  bool is_chaos_over_ = false;
};

}  // namespace warren::sim
