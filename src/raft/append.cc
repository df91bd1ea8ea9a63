#include <algorithm>

#include "raft/core.h"

namespace warren::raft {

/// Whether `from` is this term's leader as far as this member can tell.
bool Core::follow(const MemberId& from) {
  if (role_ == Role::leader || (leader_ && *leader_ != from)) return false;
  if (!leader_) become_follower(hard_.term, from);
  leader_contact_ = now_;
  dead_leader_.clear();
  arm_election();
  return true;
}

void Core::handle(const MemberId& from, AppendRequest& request, Term) {
  if (!follow(from)) return;
  // What is committed here equals the leader's log, so it needs no comparison and may be compacted.
  if (request.previous_index >= commit_ &&
      log_.term_at(request.previous_index) != request.previous_term) {
    LogIndex hint =
        std::max(commit_, log_.last_with_term_up_to(request.previous_index, request.previous_term));
    send(from, AppendResponse{.previous_index = request.previous_index,
                              .hint_index = hint,
                              .hint_term = *log_.term_at(hint)});
    return;
  }
  LogIndex last{request.previous_index.value + request.entries.size()};
  accept_entries(request.entries);
  matched_ = std::max({matched_, commit_, last});
  LogIndex known = is_mutated(Mutation::commit_past_match) ? log_.last_index() : last;
  advance_commit(std::min(request.commit, known));
  acknowledge();
}

void Core::accept_entries(std::vector<Entry>& entries) {
  for (Entry& entry : entries) {
    if (entry.index <= commit_ || log_.term_at(entry.index) == entry.term) continue;
    if (entry.index <= log_.last_index()) {
      log_.truncate_from(entry.index);
      if (!is_mutated(Mutation::keep_truncated_configuration)) history_.truncate_from(entry.index);
      if (!is_mutated(Mutation::late_persist_counts)) persistence_.truncate_from(entry.index);
      staged_from_ = std::min(staged_from_, entry.index);
    }
    note_configuration(entry);
    log_.append(std::move(entry));
  }
}

void Core::acknowledge() {
  LogIndex durable = std::min(matched_, persistence_.durable());
  if (is_mutated(Mutation::acknowledge_unpersisted)) durable = matched_;
  send(*leader_, AppendResponse{.accepted = true, .matched = matched_, .durable = durable});
}

void Core::handle(const MemberId& from, SnapshotRequest& request, Term) {
  if (!follow(from)) return;
  Snapshot& snapshot = request.snapshot;
  LogIndex index = snapshot.index;
  if (index > commit_) {
    // A log that has the snapshot's last entry has all of it, and needs only to be told that it
    // is committed.
    if (log_.term_at(index) == snapshot.term)
      advance_commit(index);
    else
      install(std::move(snapshot));
  }
  matched_ = std::max(matched_, index);
  acknowledge();
}

/// Entries after the snapshot's index go too: they follow on something else than the snapshot.
void Core::install(Snapshot snapshot) {
  std::vector<Entry> kept;
  if (is_mutated(Mutation::snapshot_keeps_log))
    kept = log_.slice(snapshot.index.next(), log_.last_index(), SIZE_MAX, SIZE_MAX);
  persistence_.truncate_from(commit_.next());
  log_.reset_to(snapshot.index, snapshot.term);
  history_.reset_to(snapshot.index, snapshot.configuration);
  for (Entry& entry : kept) log_.append(std::move(entry));
  commit_ = applied_ = snapshot.index;
  staged_from_ = snapshot.index.next();
  staged_snapshot_ = snapshot;
  snapshot_ = std::move(snapshot);
}

}  // namespace warren::raft
