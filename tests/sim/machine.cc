#include "sim/machine.h"

#include "base/assert.h"
#include "sim/network.h"

namespace warren::sim {
namespace {

using cluster::NodePhase;

/// More turns than that without time going on are an endless loop.
constexpr std::uint64_t max_turns_at_once = 20'000;

std::string_view name_of(NodePhase phase) {
  switch (phase) {
    case NodePhase::starting: return "starting";
    case NodePhase::running: return "running";
    case NodePhase::stopping: return "stopping";
    case NodePhase::stopped: return "stopped";
    case NodePhase::failed: return "failed";
  }
  return "?";
}

}  // namespace

Machine::Machine(World& world, catalog::NodeName name) : world_(world), name_(std::move(name)) {}

Machine::~Machine() = default;

bool Machine::is_serving() const {
  return node_ && !is_paused_ && node_->phase() == NodePhase::running;
}

cluster::NodeOptions Machine::node_options() const {
  cluster::NodeOptions options;
  options.name = name_;
  options.first_user = {"guest", "hash", "rabbit_password_hashing_sha256", {"administrator"}};
  options.link_silence = settings_.link_silence;
  options.election_timeout = settings_.election_timeout;
  options.wait_for_members = settings_.wait_for_members;
  options.log.file_bytes = settings_.file_bytes;
  options.segments.segment_bytes = settings_.segment_bytes;
  options.segments.read_bytes = settings_.read_bytes;
  options.memory_budget = settings_.memory_budget;
  return options;
}

void Machine::prepare_joined(const cluster::NodeFacts& facts) {
  storage::MemoryDisk disk(files_);
  auto log = cluster::Node::prepare_joined(disk, facts);
  ASSERT(log.has_value());
  disk.set_events(log->get());
  disk.run_all();
  ASSERT((*log)->is_idle());
}

void Machine::start() {
  if (node_ || !is_on_) return;
  is_wanted_ = true;
  is_paused_ = false;
  is_disk_pumping_ = false;
  ++run_;
  last_phase_ = NodePhase::starting;
  timer_ = base::never;
  disk_ = std::make_unique<TrialDisk>(files_, world_.options().has_lying_disks);
  disk_->memory().set_events(this);
  auto node = cluster::Node::start(node_options(), *disk_, base::Random(world_.random().next()),
                                   world_);
  if (!node) return world_.fail(fmt::format("{} does not start: {}", name_, node.error().text));
  node_ = std::move(*node);
  node_->set_change_observer([this](const catalog::Change& change) {
    if (change_observer_) change_observer_(*this, change);
  });
  world_.trace("{}: process {} starts, incarnation {}", name_, run_,
               node_->incarnation().value);
  turn();
}

void Machine::stop() {
  if (!node_) return;
  is_wanted_ = false;
  world_.trace("{}: asked to stop", name_);
  world_.on_process_gone(*this);
  input(run_, [this](cluster::Node& node) { node.request_stop(); });
}

void Machine::end_process(std::string_view how) {
  world_.trace("{}: process {} {}", name_, run_, how);
  world_.on_node_changed(*this);
  node_.reset();
  ++run_;
  waiting_.clear();
  is_paused_ = false;
  is_disk_pumping_ = false;
  world_.on_process_gone(*this);
}

void Machine::kill() {
  if (!node_) return;
  end_process("is killed");
  disk_->memory().kill(world_.random());
  disk_.reset();
  world_.network().on_process_gone(*this, false);
}

void Machine::lose_power() {
  if (!is_on_) return;
  is_on_ = false;
  if (node_) end_process("loses power");
  storage::MemoryDisk idle(files_);
  (disk_ ? disk_->memory() : idle).crash(world_.random());
  disk_.reset();
  world_.network().on_process_gone(*this, true);
}

void Machine::power_on() {
  if (is_on_) return;
  is_on_ = true;
  world_.trace("{}: the power is back", name_);
  world_.network().on_power_on(*this);
}

void Machine::pause() {
  if (!node_ || is_paused_) return;
  is_paused_ = true;
  world_.trace("{}: paused", name_);
}

void Machine::resume() {
  if (!is_paused_) return;
  is_paused_ = false;
  world_.note_disturbance();
  world_.trace("{}: resumed, {} inputs wait", name_, waiting_.size());
  if (!node_) return;
  // A process that wakes up finds its timers due before it looks at its sockets, or after.
  bool is_tick_first = world_.random().chance(50);
  if (is_tick_first && node_->deadline() <= world_.now()) node_->tick();
  std::deque<Input> waiting;
  waiting.swap(waiting_);
  for (Input& input : waiting) input(*node_);
  turn();
}

void Machine::break_disk() {
  if (!disk_) return;
  world_.trace("{}: the disk breaks", name_);
  disk_->memory().fail_after(world_.random().below(3), {base::ErrorCode::io, "disk broken"});
}

void Machine::input(std::uint64_t run, Input input) {
  if (run != run_ || !node_) return;
  if (is_paused_) {
    waiting_.push_back(std::move(input));
    return;
  }
  if (node_->deadline() <= world_.now()) node_->tick();
  input(*node_);
  turn();
}

void Machine::on_disk_done(storage::DiskToken token, base::Result<> result) {
  if (node_) node_->on_disk_done(token, std::move(result));
}

void Machine::on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) {
  if (node_) node_->on_disk_read(token, std::move(result));
}

void Machine::turn() {
  if (last_turn_ != world_.now()) turns_at_once_ = 0;
  last_turn_ = world_.now();
  if (++turns_at_once_ > max_turns_at_once)
    return world_.fail(name_ + " works without end at one moment");
  node_->end_turn();
  for (auto& [peer, bytes] : node_->take_frames())
    world_.network().send(*this, peer, std::move(bytes));
  for (const auto& peer : node_->take_hang_ups()) world_.network().hang_up(*this, peer);
  for (const auto& peer : node_->linked_members())
    node_->set_link_backlog(peer, world_.network().backlog(*this, peer));
  pump_disk();
  follow_phase();
  if (node_) set_timer();
}

void Machine::follow_phase() {
  NodePhase phase = node_->phase();
  if (phase == last_phase_) return;
  last_phase_ = phase;
  world_.trace("{}: {} {}", name_, name_of(phase), node_->failure());
  if (phase == NodePhase::running) world_.on_node_changed(*this);
  if (phase != NodePhase::stopped && phase != NodePhase::failed) return;
  bool is_wanted = is_wanted_ && phase == NodePhase::failed;
  end_process("ends");
  disk_->memory().kill(world_.random());
  disk_.reset();
  world_.network().on_process_gone(*this, false);
  if (!is_wanted) return;
  world_.after(world_.between(std::chrono::seconds(1), std::chrono::seconds(3)), [this] {
    if (is_wanted_ && !node_) start();
  });
}

void Machine::set_timer() {
  base::Time deadline = node_->deadline();
  if (deadline == base::never || deadline >= timer_) return;
  timer_ = std::max(deadline, world_.now());
  world_.at(timer_, [this, run = run_, set_for = timer_] {
    if (run != run_ || set_for != timer_) return;
    timer_ = base::never;
    input(run, [](cluster::Node&) {});
  });
}

void Machine::pump_disk() {
  if (is_disk_pumping_ || disk_->memory().pending() == 0) return;
  is_disk_pumping_ = true;
  base::Duration time = world_.between(std::chrono::microseconds(20), settings_.slowest_disk);
  if (world_.random().below(400) == 0) time += std::chrono::milliseconds(300);
  world_.after(time, [this, run = run_] {
    if (run != run_) return;
    // The disk works on while the process is paused; only its answers wait.
    is_disk_pumping_ = false;
    if (is_paused_) {
      waiting_.push_back([this](cluster::Node&) { disk_->memory().run_one(); });
      return;
    }
    input(run, [this](cluster::Node&) { disk_->memory().run_one(); });
  });
}

}  // namespace warren::sim
