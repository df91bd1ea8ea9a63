#include <algorithm>
#include <functional>

#include "base/assert.h"
#include "raft/core.h"

namespace warren::raft {

void Core::lead(base::Time now) {
  if (now < heartbeat_deadline_) return;
  heartbeat_deadline_ = now + options_.heartbeat_interval;
  if (!has_quorum_contact() && !is_mutated(Mutation::skip_quorum_check)) {
    become_follower(hard_.term, std::nullopt);
    return;
  }
  if (transfer_to_ && now >= transfer_deadline_) transfer_to_.reset();
  for (auto& [member, progress] : progress_) send_heartbeat(member, progress);
  forget_removed();
}

bool Core::has_quorum_contact() const {
  std::size_t heard = 0;
  for (const MemberId& member : configuration().voters) {
    auto found = progress_.find(member);
    if (member == options_.self ||
        (found != progress_.end() && now_ - found->second.last_contact < options_.election_timeout))
      ++heard;
  }
  return heard >= configuration().majority();
}

void Core::broadcast() {
  has_news_ = false;
  for (auto& [member, progress] : progress_) replicate(member, progress);
  forget_removed();
}

void Core::replicate(const MemberId& member, Progress& progress) {
  if (progress.state == Progress::State::snapshot) return;
  if (is_snapshot_needed(progress)) {
    send_snapshot(member, progress);
    return;
  }
  if (progress.state == Progress::State::probe) {
    if (progress.is_paused) return;
    send_append(member, progress, {});
    progress.is_paused = true;
    return;
  }
  while (progress.next <= log_.last_index() && progress.in_flight.size() < options_.max_in_flight)
    send_append(member, progress,
                log_.slice(progress.next, log_.last_index(), options_.max_append_entries,
                           options_.max_append_bytes));
  if (progress.sent_commit < commit_) send_append(member, progress, {});
}

void Core::send_heartbeat(const MemberId& member, Progress& progress) {
  progress.is_paused = false;
  if (progress.state == Progress::State::snapshot &&
      now_ - progress.snapshot_sent >= options_.snapshot_retry)
    progress.start_probe(progress.next);
  bool is_waiting = progress.state == Progress::State::snapshot || is_snapshot_needed(progress);
  if (is_waiting) {
    // The place before the first entry matches any log: this says only that a leader is here.
    send(member, AppendRequest{});
    replicate(member, progress);
  } else if (progress.state == Progress::State::probe) {
    replicate(member, progress);
  } else {
    send_append(member, progress, {});
  }
}

void Core::send_append(const MemberId& member, Progress& progress, std::vector<Entry> entries) {
  LogIndex previous{progress.next.value - 1};
  auto previous_term = log_.term_at(previous);
  ASSERT(previous_term.has_value());
  progress.sent_commit = commit_;
  if (!entries.empty()) {
    progress.next = entries.back().index.next();
    progress.in_flight.push_back(entries.back().index);
  }
  send(member, AppendRequest{previous, *previous_term, commit_, std::move(entries)});
}

bool Core::is_snapshot_needed(const Progress& progress) const {
  return progress.next <= log_.base_index();
}

void Core::send_snapshot(const MemberId& member, Progress& progress) {
  bool is_active = now_ - progress.last_contact < options_.election_timeout;
  if (!is_active) return;
  progress.state = Progress::State::snapshot;
  progress.in_flight.clear();
  progress.snapshot_index = snapshot_->index;
  progress.snapshot_sent = now_;
  send(member, SnapshotRequest{*snapshot_});
}

void Core::handle(const MemberId& from, const AppendResponse& response, Term) {
  auto found = progress_.find(from);
  if (role_ != Role::leader || found == progress_.end()) return;
  if (response.matched > log_.last_index()) return;
  found->second.last_contact = now_;
  if (response.accepted)
    accepted(found->second, response);
  else
    rejected(found->second, response);
  has_news_ = true;
  count_commit();
  try_transfer();
}

void Core::accepted(Progress& progress, const AppendResponse& response) {
  progress.acknowledge(response.durable);
  progress.next = std::max(progress.next, progress.match.next());
  switch (progress.state) {
    case Progress::State::replicate:
      break;
    case Progress::State::snapshot:
      if (progress.match < progress.snapshot_index) break;
      progress.start_probe(progress.match.next());
      [[fallthrough]];
    case Progress::State::probe:
      // An answer to a request that compared nothing says nothing about the probe.
      if (response.matched.next() < progress.next) break;
      progress.next = response.matched.next();
      progress.start_replicate();
      break;
  }
}

void Core::rejected(Progress& progress, const AppendResponse& response) {
  LogIndex previous = response.previous_index;
  if (progress.state == Progress::State::snapshot || previous <= progress.match) return;
  if (progress.state == Progress::State::probe && previous.next() != progress.next) return;
  LogIndex agreed = log_.last_with_term_up_to(response.hint_index, response.hint_term);
  LogIndex next = std::min(agreed.next(), previous);
  progress.start_probe(std::max(next, progress.match.next()));
}

/// Only an entry of the leader's own term commits by counting; older ones commit with it. An older
/// entry on a majority can still be replaced by a leader that does not have it.
void Core::count_commit() {
  if (role_ != Role::leader) return;
  const Configuration& configuration = this->configuration();
  LogIndex own = is_mutated(Mutation::count_unpersisted_on_leader) ? log_.last_index()
                                                                   : persistence_.durable();
  std::vector<LogIndex> matches;
  for (const MemberId& member : configuration.voters) {
    auto found = progress_.find(member);
    if (member == options_.self)
      matches.push_back(own);
    else
      matches.push_back(found == progress_.end() ? LogIndex{} : found->second.match);
  }
  if (is_mutated(Mutation::learner_counts))
    for (const MemberId& member : configuration.learners)
      if (auto found = progress_.find(member); found != progress_.end())
        matches.push_back(found->second.match);
  if (is_mutated(Mutation::count_removed_leader) && !configuration.is_voter(options_.self))
    matches.push_back(own);
  if (matches.size() < configuration.majority()) return;
  std::sort(matches.begin(), matches.end(), std::greater<>());
  LogIndex counted = matches[configuration.majority() - 1];
  if (log_.term_at(counted) == hard_.term || is_mutated(Mutation::commit_old_term))
    advance_commit(counted);
}

void Core::transfer_leadership(const MemberId& to) {
  if (role_ != Role::leader || to == options_.self || !configuration().is_voter(to)) return;
  transfer_to_ = to;
  transfer_deadline_ = now_ + options_.election_timeout;
  try_transfer();
}

void Core::try_transfer() {
  if (role_ != Role::leader || !transfer_to_) return;
  auto found = progress_.find(*transfer_to_);
  if (found != progress_.end() && found->second.match == log_.last_index())
    send(*transfer_to_, TimeoutNow{});
}

}  // namespace warren::raft
