#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "catalog/names.h"
#include "event_queue.h"

namespace warren::sim {

class Machine;
class Network;

struct WorldOptions {
  std::uint64_t seed = 0;
  bool is_verbose = false;
  /// Deliberate faults that break a promise which the broker relies on. The checks must notice.
  bool has_lying_disks = false;    ///< syncs are acknowledged and not done
  bool has_false_deaths = false;   ///< silence is taken for a proof of death
};

/// What all of one simulated run share: time, chance, the machines and the network between them,
/// the trace of what happened, and the first thing that went wrong.
class World final : public base::Clock {
 public:
  explicit World(WorldOptions options);
  ~World() override;

  const WorldOptions& options() const { return options_; }
  base::Time now() const override { return events_.now(); }
  base::WallTime wall_time() const override {
    return base::WallTime(std::chrono::floor<std::chrono::milliseconds>(
        std::chrono::years(50) + now().time_since_epoch()));
  }
  base::Random& random() { return random_; }
  /// Between the two, both included.
  base::Duration between(base::Duration least, base::Duration most);

  void at(base::Time time, EventQueue::Event event) { events_.at(time, std::move(event)); }
  void after(base::Duration delay, EventQueue::Event event) {
    events_.at(now() + delay, std::move(event));
  }
  /// Lets things happen until `is_done` or for that long. True when it is done and nothing failed.
  bool run_until(const std::function<bool()>& is_done, base::Duration limit);
  void run_for(base::Duration time) { run_until([] { return false; }, time); }

  Machine& add_machine(const catalog::NodeName& name);
  Machine* find(const catalog::NodeName& name);
  std::vector<Machine*> machines();
  Network& network() { return *network_; }

  /// Told when a machine's process has ended or is asked to stop.
  void set_process_observer(std::function<void(Machine&)> observer) {
    process_observer_ = std::move(observer);
  }
  void on_process_gone(Machine& machine);
  /// Told of each process before it ends, and when one runs.
  void set_node_observer(std::function<void(Machine&)> observer) {
    node_observer_ = std::move(observer);
  }
  void on_node_changed(Machine& machine) {
    if (node_observer_) node_observer_(machine);
  }

  template <typename... Args>
  void trace(fmt::format_string<Args...> format, Args&&... args) {
    note(fmt::format(format, std::forward<Args>(args)...));
  }
  /// Tells two runs apart.
  std::uint64_t trace_hash() const { return hash_; }
  void mix(std::uint64_t number);

  /// Something holds up or breaks what is under way: for a moment things may arrive that were sent
  /// before others which have arrived already.
  void note_disturbance() { disturbed_until_ = now() + std::chrono::milliseconds(500); }
  bool is_disturbed();

  /// Something is wrong: the run ends.
  void fail(std::string text);
  const std::optional<std::string>& failure() const { return failure_; }

 private:
  void note(const std::string& line);

  WorldOptions options_;
  base::Random random_;
  EventQueue events_;
  std::map<catalog::NodeName, std::unique_ptr<Machine>> machines_;
  std::unique_ptr<Network> network_;
  std::function<void(Machine&)> process_observer_;
  std::function<void(Machine&)> node_observer_;
  base::Time disturbed_until_{};
  std::uint64_t hash_ = 0xCBF29CE484222325ull;
  std::optional<std::string> failure_;
};

}  // namespace warren::sim
