#include "cluster/metadata.h"

#include "base/assert.h"
#include "base/log.h"
#include "cluster/archive.h"
#include "raft/message_codec.h"

namespace warren::cluster {
namespace {

enum RecordKind : std::uint8_t {
  hard_state_record = 1,
  received_snapshot_record = 2,  ///< replaces snapshot and log
  entries_record = 3,            ///< the first one removes everything at or after its index
  own_snapshot_record = 4,       ///< keeps the entries after it
  reset_record = 5,              ///< hard state of a new generation; drops snapshot and log
};

constexpr base::Duration send_interval = std::chrono::milliseconds(500);
constexpr std::size_t compact_after_bytes = 1 << 20;
/// What an entry takes apart from its command.
constexpr std::size_t entry_overhead = 64;
constexpr std::size_t max_numbers_above = 10'000;

/// Commands in the Raft log, with who proposed them.
struct LoggedCommands {
  NodeName proposer;
  catalog::Incarnation incarnation;
  std::uint64_t number = 0;
  std::vector<base::Bytes> commands;
  template <typename A>
  void fields(A& a) { a(proposer, incarnation, number, commands); }
};

struct ProposerRecord {
  NodeName name;
  catalog::Incarnation incarnation;
  std::uint64_t all_up_to = 0;
  std::vector<std::uint64_t> above;
  template <typename A>
  void fields(A& a) { a(name, incarnation, all_up_to, above); }
};
struct SnapshotRecord {
  base::Bytes catalog;
  std::vector<ProposerRecord> proposers;
  template <typename A>
  void fields(A& a) { a(catalog, proposers); }
};

struct EntriesRecord {
  std::vector<base::Bytes> entries;
  template <typename A>
  void fields(A& a) { a(entries); }
};

}  // namespace

Metadata::Metadata(NodeName self, storage::Log& log, const base::Clock& clock, Events events)
    : self_(std::move(self)), log_(log), clock_(clock), events_(std::move(events)) {}

void Metadata::recover(raft::PersistentState& state, std::uint8_t kind, base::ByteView payload) {
  switch (kind) {
    case reset_record:
      state.snapshot.reset();
      state.entries.clear();
      [[fallthrough]];
    case hard_state_record:
      if (auto hard = raft::decode_hard_state(payload)) state.hard = *hard;
      return;
    case received_snapshot_record:
      state.entries.clear();
      [[fallthrough]];
    case own_snapshot_record:
      if (auto snapshot = raft::decode_snapshot(payload)) {
        std::erase_if(state.entries, [&](const raft::Entry& entry) {
          return entry.index <= snapshot->index;
        });
        state.snapshot = std::move(*snapshot);
      }
      return;
    case entries_record: {
      auto record = read_archive<EntriesRecord>(payload, "raft entries");
      if (!record) return;
      for (const base::Bytes& bytes : record->entries) {
        auto entry = raft::decode_entry(bytes);
        if (!entry) return;
        if (state.snapshot && entry->index <= state.snapshot->index) continue;
        while (!state.entries.empty() && state.entries.back().index >= entry->index)
          state.entries.pop_back();
        state.entries.push_back(std::move(*entry));
      }
      return;
    }
    default: base::log_error("raft record of unknown kind {} ignored", kind);
  }
}

base::Result<> Metadata::start(raft::Options options, base::Random random,
                               raft::PersistentState state, catalog::Incarnation incarnation) {
  TRY(raft::check(state));
  incarnation_ = incarnation;
  hard_ = state.hard;
  if (state.snapshot) {
    restore(state.snapshot->data);
    snapshot_bytes_ = state.snapshot->data.size();
  }
  core_ = std::make_unique<raft::Core>(std::move(options), random, std::move(state));
  core_->tick(clock_.now());
  // The only voter need not wait for an election that nobody else could win.
  const raft::Configuration configuration = core_->configuration();
  if (configuration.voters == std::vector<NodeName>{self_})
    core_->force_configuration(configuration);
  return {};
}

void Metadata::write_initial(const raft::PersistentState& state) {
  append(hard_state_record, raft::encode(state.hard));
  ASSERT(!state.snapshot);
  write_entries(state.entries);
}

void Metadata::propose(const catalog::Command& command, base::Time deadline, Done done) {
  propose(std::span(&command, 1), deadline, [done = std::move(done)](base::Result<Progress> came) {
    done(came ? base::Result<catalog::Applied>(came->last) : std::unexpected(came.error()));
  });
}

void Metadata::propose(std::span<const catalog::Command> commands, base::Time deadline,
                       ListDone done) {
  std::uint64_t number = ++last_number_;
  Pending& pending = pending_[number];
  for (const catalog::Command& command : commands)
    pending.commands.push_back(catalog::encode_command(command));
  pending.deadline = deadline;
  pending.done = std::move(done);
  submit(number, pending);
}

void Metadata::submit(std::uint64_t number, Pending& pending) {
  pending.send_again = clock_.now() + send_interval;
  if (is_leader()) {
    LoggedCommands logged{self_, incarnation_, number, pending.commands};
    base::Bytes data;
    write_archive(data, logged);
    if (!core().propose(std::move(data)))
      pending.send_again = clock_.now() + std::chrono::milliseconds(20);
  } else if (core_->leader() && events_.is_linked(*core_->leader())) {
    events_.send(*core_->leader(), Propose{number, pending.commands});
  }
  pending_due_ = std::min({pending_due_, pending.deadline, pending.send_again});
}

void Metadata::on_propose(const NodeName& from, catalog::Incarnation incarnation,
                          const Propose& message) {
  if (!is_leader()) return;  // it is sent again to whoever leads then
  LoggedCommands logged{from, incarnation, message.number, message.commands};
  base::Bytes data;
  write_archive(data, logged);
  if (auto index = core().propose(std::move(data)); !index)
    base::log_debug("command from {} not taken: {}", from, index.error().text);
}

void Metadata::on_raft(const NodeName& from, const RaftFrame& frame) {
  auto message = raft::decode_message(frame.message);
  if (!message) {
    base::log_error("raft message from {}: {}", from, message.error().text);
    return;
  }
  if (message->generation > core_->generation() && !events_.may_change_cluster()) {
    if (!has_refused_generation_)
      base::log_error("{} was forced to go on without this cluster, which still serves; it must be "
                      "reset and join again", from);
    has_refused_generation_ = true;
    return;
  }
  core().receive(from, std::move(*message));
}

void Metadata::on_link_up(const NodeName& peer) {
  core().peer_reachable(peer);
  if (core_->leader() == peer)
    for (auto& [number, pending] : pending_) submit(number, pending);
}

void Metadata::tick() {
  base::Time now = clock_.now();
  core_->tick(now);
  if (known_leader_ != core_->leader()) {
    known_leader_ = core_->leader();
    for (auto& [number, pending] : pending_) pending.send_again = now;
    pending_due_ = now;
  }
  if (pending_due_ <= now) look_after_pending(now);
}

void Metadata::look_after_pending(base::Time now) {
  pending_due_ = base::never;
  std::vector<ListDone> late;
  for (auto pending = pending_.begin(); pending != pending_.end();) {
    if (pending->second.deadline <= now) {
      late.push_back(std::move(pending->second.done));
      pending = pending_.erase(pending);
      continue;
    }
    if (pending->second.send_again <= now) submit(pending->first, pending->second);
    pending_due_ =
        std::min({pending_due_, pending->second.deadline, pending->second.send_again});
    ++pending;
  }
  for (ListDone& done : late)
    done(base::fail(base::ErrorCode::timeout,
                    "the cluster did not agree on the change in time; it may still take effect"));
}

base::Time Metadata::deadline() const {
  return std::min(core_->deadline(), pending_.empty() ? base::never : pending_due_);
}

bool Metadata::work(bool& wants_sync) {
  if (!core_->has_output()) return false;
  raft::Output output = core_->take_output();
  write(output);
  if (output.token) wants_sync = true;
  for (auto& [to, message] : output.messages)
    events_.send(to, RaftFrame{raft::encode(message)});
  if (output.snapshot) {
    restore(output.snapshot->data);
    snapshot_bytes_ = output.snapshot->data.size();
    applied_bytes_ = 0;
    events_.replaced();
  }
  for (const raft::Entry& entry : output.committed) apply(entry);
  if (known_leader_ != core_->leader()) tick();
  return true;
}

void Metadata::write(const raft::Output& output) {
  if (output.reset) {
    catalog_ = catalog::Catalog();
    proposers_.clear();
    events_.reset();
  }
  if (output.hard_state) hard_ = *output.hard_state;
  if (output.reset || output.hard_state)
    append(output.reset ? reset_record : hard_state_record, raft::encode(hard_));
  if (output.snapshot) append(received_snapshot_record, raft::encode(*output.snapshot));
  write_entries(output.entries);
  if (output.token) persisting_.push_back({log_.end(), output.token});
}

storage::LogPosition Metadata::append(std::uint8_t kind, base::ByteView payload) {
  return log_.append(stream, kind, payload);
}

void Metadata::write_entries(const std::vector<raft::Entry>& entries) {
  if (entries.empty()) return;
  EntriesRecord record;
  for (const raft::Entry& entry : entries) record.entries.push_back(raft::encode(entry));
  base::Bytes payload;
  write_archive(payload, record);
  append(entries_record, payload);
}

void Metadata::on_synced() {
  while (!persisting_.empty() && persisting_.front().position <= log_.synced()) {
    core().persisted(persisting_.front().token);
    persisting_.pop_front();
  }
  if (compacting_ && compacting_->position < log_.synced()) {
    core_->compact(std::move(compacting_->snapshot));
    log_.release(stream, compacting_->position);
    compacting_.reset();
  }
}

void Metadata::compact_if_long() {
  if (applied_bytes_ > std::max(compact_after_bytes, snapshot_bytes_)) compact();
}

void Metadata::compact() {
  if (compacting_ || core_->applied_index() < core_->snapshot_index()) return;
  raft::Snapshot snapshot = core_->make_snapshot(core_->applied_index(), snapshot_data());
  storage::LogPosition position = append(own_snapshot_record, raft::encode(snapshot));
  append(hard_state_record, raft::encode(hard_));
  std::vector<raft::Entry> tail;
  for (raft::LogIndex index = snapshot.index.next(); index <= core_->last_index();
       index = index.next())
    tail.push_back(core_->log().at(index));
  write_entries(tail);
  snapshot_bytes_ = snapshot.data.size();
  applied_bytes_ = 0;
  compacting_ = Compacting{position, std::move(snapshot)};
}

void Metadata::apply(const raft::Entry& entry) {
  applied_bytes_ += entry.data.size() + entry_overhead;
  if (entry.kind != raft::EntryKind::command) return;
  auto logged = read_archive<LoggedCommands>(entry.data, "logged commands");
  if (!logged) return;
  bool is_first = is_first_time(logged->proposer, logged->incarnation, logged->number);
  // A snapshot may have brought what came of the first time, but not the answer.
  base::Result<Progress> result =
      is_first ? apply(logged->commands)
               : base::fail(base::ErrorCode::timeout,
                            "the cluster agreed on the change while this node was behind");
  if (logged->proposer != self_ || logged->incarnation != incarnation_) return;
  auto pending = pending_.find(logged->number);
  if (pending == pending_.end()) return;
  ListDone done = std::move(pending->second.done);
  pending_.erase(pending);
  done(std::move(result));
}

base::Result<Metadata::Progress> Metadata::apply(const std::vector<base::Bytes>& commands) {
  Progress progress;
  std::vector<catalog::Change> changes;
  for (const base::Bytes& bytes : commands) {
    auto command = catalog::decode_command(bytes);
    changes.clear();
    base::Result<catalog::Applied> result =
        command ? catalog_.apply(*command, changes) : std::unexpected(command.error());
    if (!changes.empty()) events_.changed(changes);
    if (!result) {
      if (progress.applied == 0) return std::unexpected(std::move(result).error());
      progress.refusal = std::move(result).error();
      break;
    }
    ++progress.applied;
    progress.last = *result;
  }
  return progress;
}

bool Metadata::is_first_time(const NodeName& name, catalog::Incarnation incarnation,
                             std::uint64_t number) {
  Proposer& proposer = proposers_[name];
  if (incarnation < proposer.incarnation) return false;
  if (incarnation > proposer.incarnation) proposer = Proposer{incarnation, 0, {}};
  if (number <= proposer.all_up_to || !proposer.above.insert(number).second) return false;
  while (proposer.above.erase(proposer.all_up_to + 1)) ++proposer.all_up_to;
  if (proposer.above.size() > max_numbers_above) {
    proposer.all_up_to = *proposer.above.begin();
    proposer.above.erase(proposer.above.begin());
  }
  return true;
}

base::Bytes Metadata::snapshot_data() const {
  SnapshotRecord record{catalog_.snapshot(), {}};
  for (const auto& [name, proposer] : proposers_)
    record.proposers.push_back({name, proposer.incarnation, proposer.all_up_to,
                                {proposer.above.begin(), proposer.above.end()}});
  base::Bytes data;
  write_archive(data, record);
  return data;
}

void Metadata::restore(base::ByteView data) {
  auto record = read_archive<SnapshotRecord>(data, "catalog snapshot");
  // A snapshot that was agreed on and does not decode means that this node can't follow the
  // cluster any more; going on would diverge.
  ASSERT(record.has_value());
  ASSERT(catalog_.restore(record->catalog).has_value());
  proposers_.clear();
  for (const ProposerRecord& from : record->proposers)
    proposers_[from.name] = {from.incarnation, from.all_up_to,
                             {from.above.begin(), from.above.end()}};
}

}  // namespace warren::cluster
