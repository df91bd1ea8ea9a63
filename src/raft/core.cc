#include "raft/core.h"

#include <algorithm>

#include "base/assert.h"

namespace warren::raft {

namespace {

/// Messages that wait for a slow disk. The network may lose messages anyway, so the oldest go.
constexpr std::size_t max_held_messages = 4096;

/// Whether the entries after the snapshot's index follow on the snapshot.
bool is_continued_by(const Snapshot& snapshot, const std::vector<Entry>& entries) {
  if (entries.empty() || entries.front().index == snapshot.index.next()) return true;
  for (const Entry& entry : entries)
    if (entry.index == snapshot.index) return entry.term == snapshot.term;
  return false;
}

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

Core::Core(Options options, base::Random random, PersistentState state)
    : options_(std::move(options)), random_(random) {
  ASSERT(check(state).has_value());
  load(std::move(state));
}

void Core::load(PersistentState state) {
  hard_ = taken_hard_ = state.hard;
  bool fits = true;
  if (state.snapshot) {
    const Snapshot& snapshot = *state.snapshot;
    log_.reset_to(snapshot.index, snapshot.term);
    history_.reset_to(snapshot.index, snapshot.configuration);
    commit_ = applied_ = snapshot.index;
    hard_.term = std::max(hard_.term, snapshot.term);
    fits = is_continued_by(snapshot, state.entries) || is_mutated(Mutation::restart_keeps_log);
    // The crash came between writing the snapshot and removing the log that it replaces. The
    // driver removes it now, before anything is appended to it.
    if (!fits) staged_snapshot_ = snapshot;
  }
  for (Entry& entry : state.entries) {
    if (!fits || entry.index <= log_.base_index()) continue;
    hard_.term = std::max(hard_.term, entry.term);
    note_configuration(entry);
    log_.append(std::move(entry));
  }
  if (hard_.term != taken_hard_.term) hard_.voted_for.clear();
  snapshot_ = std::move(state.snapshot);
  persistence_.start(log_.last_index());
  staged_from_ = log_.last_index().next();
}

const Configuration& Core::configuration() const {
  if (is_mutated(Mutation::effective_on_commit)) return history_.at(commit_);
  return history_.latest();
}

void Core::tick(base::Time now) {
  advance(now);
  if (!has_started_) {
    has_started_ = true;
    arm_election();
    // Alone, there is nobody to wait for or to disturb.
    if (configuration().voters == std::vector<MemberId>{options_.self}) start_vote(false);
    return;
  }
  if (role_ == Role::leader) {
    lead(now_);
  } else if (now_ >= election_deadline_) {
    if (is_mutated(Mutation::skip_pre_vote))
      start_vote(false);
    else
      start_pre_vote();
  }
}

base::Time Core::deadline() const {
  if (!has_started_) return base::Time::min();
  // A leader without others has nobody to reassure.
  if (role_ == Role::leader) return progress_.empty() ? base::never : heartbeat_deadline_;
  return may_stand() ? election_deadline_ : base::never;
}

void Core::receive(const MemberId& from, Message message) {
  if (from == options_.self || !is_well_formed(message)) return;
  if (message.generation < hard_.generation && !is_mutated(Mutation::accept_lower_generation))
    return;
  if (message.generation > hard_.generation) join_generation(message.generation, message.term);
  if (message.term > hard_.term && !raise_term(message)) return;
  bool speaks_of_next_term = std::holds_alternative<PreVoteResponse>(message.body);
  if (message.term < hard_.term && !speaks_of_next_term)
    answer_old_term(from, message);
  else
    dispatch(from, message);
}

void Core::dispatch(const MemberId& from, Message& message) {
  std::visit([&](auto& body) { handle(from, body, message.term); }, message.body);
}

/// Whether the message is to be handled.
bool Core::raise_term(const Message& message) {
  if (std::holds_alternative<PreVoteRequest>(message.body)) return true;
  if (const auto* request = std::get_if<VoteRequest>(&message.body))
    if (!request->transfer && hears_leader_in_spite_of(request->dead_leader)) return false;
  become_follower(message.term, std::nullopt);
  return true;
}

/// A request from an older term is answered, so that its sender learns of this one. Without that
/// a member that is ahead could neither be led nor, because of pre-votes, be elected.
void Core::answer_old_term(const MemberId& from, const Message& message) {
  std::visit(Overloaded{[&](const PreVoteRequest&) { send(from, PreVoteResponse{message.term}); },
                        [&](const VoteRequest&) { send(from, VoteResponse{}); },
                        [&](const AppendRequest& request) {
                          send(from, AppendResponse{.previous_index = std::max(
                                                        request.previous_index, LogIndex{1})});
                        },
                        [&](const SnapshotRequest& request) {
                          send(from, AppendResponse{.previous_index = request.snapshot.index});
                        },
                        [](const auto&) {}},
             message.body);
}

void Core::become_follower(Term term, std::optional<MemberId> leader) {
  ASSERT(term >= hard_.term);
  if (term > hard_.term) {
    hard_.term = term;
    hard_.voted_for.clear();
  }
  role_ = Role::follower;
  leader_ = std::move(leader);
  dead_leader_.clear();
  votes_.clear();
  matched_ = {};
  progress_.clear();
  has_news_ = false;
  transfer_to_.reset();
  arm_election();
}

bool Core::is_hard_state_unsafe() const {
  return hard_ != taken_hard_ || persistence_.is_hard_state_pending();
}

void Core::send(const MemberId& to, Message::Body body) {
  held_.emplace_back(to, Message{hard_.generation, hard_.term, std::move(body)});
  if (!is_hard_state_unsafe() || is_mutated(Mutation::skip_vote_persist))
    release_held();
  else if (held_.size() > max_held_messages)
    held_.erase(held_.begin());
}

void Core::release_held() {
  std::vector<Outgoing> released;
  released.swap(held_);
  for (Outgoing& outgoing : released) {
    if (outgoing.first != options_.self)
      messages_.push_back(std::move(outgoing));
    else if (outgoing.second.term == hard_.term)
      dispatch(options_.self, outgoing.second);
  }
}

void Core::persisted(PersistToken token) {
  LogIndex before = std::min(matched_, persistence_.durable());
  persistence_.persisted(token);
  if (!is_hard_state_unsafe()) release_held();
  if (role_ == Role::leader)
    count_commit();
  else if (leader_ && std::min(matched_, persistence_.durable()) > before)
    acknowledge();
}

void Core::append_entry(EntryKind kind, base::Bytes data) {
  Entry entry{hard_.term, log_.last_index().next(), kind, std::move(data)};
  note_configuration(entry);
  log_.append(std::move(entry));
  has_news_ = true;
}

void Core::note_configuration(const Entry& entry) {
  if (entry.kind != EntryKind::configuration) return;
  auto configuration = decode_configuration(entry.data);
  ASSERT(configuration.has_value());
  history_.append(entry.index, std::move(*configuration));
}

void Core::advance_commit(LogIndex commit) {
  if (commit <= commit_) return;
  commit_ = commit;
  if (role_ != Role::leader) return;
  has_news_ = true;
  leave_if_removed();
}

LogIndex Core::last_to_apply() const {
  return std::min(commit_, persistence_.durable());
}

Snapshot Core::make_snapshot(LogIndex index, base::Bytes data) const {
  ASSERT(index <= applied_ && index >= log_.base_index());
  return {index, *log_.term_at(index), history_.at(index), std::move(data)};
}

void Core::compact(Snapshot snapshot) {
  if (snapshot.index <= log_.base_index()) return;
  ASSERT(snapshot.index <= applied_ && log_.term_at(snapshot.index) == snapshot.term);
  log_.compact_to(snapshot.index);
  history_.compact_to(snapshot.index);
  snapshot_ = std::move(snapshot);
  has_news_ = role_ == Role::leader;
}

bool Core::has_output() const {
  return has_news_ || staged_reset_ || hard_ != taken_hard_ || staged_snapshot_ ||
         staged_from_ <= log_.last_index() || !messages_.empty() || last_to_apply() > applied_;
}

Output Core::take_output() {
  if (has_news_) broadcast();
  Output output;
  output.reset = std::exchange(staged_reset_, false);
  if (hard_ != taken_hard_) output.hard_state = taken_hard_ = hard_;
  output.snapshot = std::exchange(staged_snapshot_, std::nullopt);
  output.entries = log_.slice(staged_from_, log_.last_index(), SIZE_MAX, SIZE_MAX);
  staged_from_ = log_.last_index().next();
  bool persists_log = output.snapshot || !output.entries.empty();
  if (output.reset || output.hard_state || persists_log)
    output.token = persistence_.add(persists_log ? log_.last_index() : LogIndex{},
                                    output.hard_state.has_value());
  output.messages.swap(messages_);
  if (last_to_apply() > applied_) {
    output.committed =
        log_.slice(applied_.next(), last_to_apply(), SIZE_MAX, options_.max_apply_bytes);
    applied_ = output.committed.back().index;
  }
  return output;
}

}  // namespace warren::raft
