#include <algorithm>

#include "base/log.h"
#include "cluster/archive.h"
#include "cluster/replica.h"
#include "cluster/replica_records.h"

namespace warren::cluster {
namespace {

storage::SegmentNote note_of(const ListedSegment& listed) {
  storage::SegmentNote note{listed.file, {listed.bytes, listed.index_at}, listed.count, {}};
  for (const ListedKeys& keys : listed.settled)
    note.settled.push_back({{keys.first}, {keys.last}});
  return note;
}

/// No more than are left in the segments. Where messages are missing between others, it is less.
std::size_t least_live(const std::vector<storage::SegmentNote>& notes, std::size_t settled_since) {
  std::uint64_t most = 0, settled = settled_since;
  for (const storage::SegmentNote& note : notes) {
    most += note.count;
    for (storage::KeyRange keys : note.settled) settled += keys.last.value - keys.first.value + 1;
  }
  return most - std::min(most, settled);
}

}  // namespace

void Replica::recover(storage::LogPosition position, std::uint8_t kind, base::ByteView payload) {
  if (!recovering_) recovering_ = std::make_unique<Recovering>();
  switch (kind) {
    case entries_record: return recover_entries(position, payload);
    case kept_record: return recover_kept(position, payload);
    case cut_record: {
      auto record = read_archive<CutRecord>(payload, "cut record");
      if (!record || record->agreed >= last_) return;
      while (!entries_.empty() && entries_.back().index > record->agreed) entries_.pop_back();
      while (!epochs_.empty() && epochs_.back().start > record->agreed) epochs_.pop_back();
      last_ = std::max(applied_, record->agreed);
      return;
    }
    case header_record:
      header_ = position;
      has_header_ = true;
      return recover_header(payload);
    case snapshot_start_record:
      *recovering_ = {};
      entries_.clear();
      chunks_.clear();
      epochs_.clear();
      producers_.assign({}, {});
      queue_.set_times({});
      applied_ = commit_ = last_ = MessageIndex{};
      is_usable_ = false;
      header_ = position;
      has_header_ = true;
      return;
    default:
      base::log_error("log record of unknown kind {} for queue {} ignored", kind, id_.value);
  }
}

void Replica::recover_entries(storage::LogPosition position, base::ByteView payload) {
  auto record = read_archive<EntriesRecord>(payload, "entries record");
  if (!record || record->entries.empty()) return;
  chunks_.push_back({position, record->entries.front().index, record->entries.back().index});
  for (QueueEntry& entry : record->entries) {
    if (entry.index > last_) {
      append(std::move(entry));
      continue;
    }
    // Written again by a move. The first record may be gone while a later one is still there.
    auto place = std::ranges::lower_bound(entries_, entry.index, {}, &QueueEntry::index);
    bool is_here = place != entries_.end() && place->index == entry.index;
    if (entry.index > applied_ && !is_here) entries_.insert(place, std::move(entry));
  }
  MessageIndex commit = std::min(record->commit, last_);
  if (commit > commit_) commit_ = commit;
  apply_up_to(commit_);
  while (!entries_.empty() && entries_.front().index <= applied_) entries_.pop_front();
}

void Replica::recover_kept(storage::LogPosition position, base::ByteView payload) {
  auto record = read_archive<KeptRecord>(payload, "kept record");
  if (!record || record->messages.empty()) return;
  chunks_.push_back(
      {position, record->messages.front().index, record->messages.back().index});
  for (SnapshotMessage& item : record->messages) put(item.index, item.message);
}

void Replica::recover_header(base::ByteView payload) {
  auto record = read_archive<HeaderRecord>(payload, "header record");
  if (!record) return;
  apply_up_to(record->applied);
  while (!entries_.empty() && entries_.front().index <= applied_) entries_.pop_front();
  commit_ = std::max(commit_, record->applied);
  last_ = std::max(last_, record->applied);
  recovering_->segments.clear();
  for (const ListedSegment& segment : record->segments)
    recovering_->segments.push_back(note_of(segment));
  recovering_->settled.clear();
  is_usable_ = record->is_usable;
  producers_.assign(record->producers, record->refusals);
  queue_.set_times(marks_of(record->dates));
  // It knows of everything that was written before it; records that are left may not tell all.
  epochs_ = std::move(record->epochs);
}

void Replica::finish_recovery(std::set<storage::FileId>& wanted) {
  if (!recovering_) return;
  std::unique_ptr<Recovering> found = std::move(recovering_);
  // What the queue makes of priorities is not known yet, and a message can't be asked for its own
  // any more when it is on disk only.
  auto note_priority = [this](std::uint8_t priority) {
    if (priority > 0 && queue_.max_priority() == 0) queue_.set_max_priority(UINT8_MAX);
  };
  broker::MessageRun::Cursor next(found->messages, {});
  auto put_logged_before = [&](MessageIndex index) {
    for (; next.current() && next.current()->index < index; next.advance()) {
      // What a segment holds, and what left it, is the segment's to say.
      if (pages_ && pages_->knows(next.current()->index)) continue;
      note_priority(next.current()->message.priority());
      queue_.put(next.current()->index, next.current()->message, false);
    }
  };
  if (!found->segments.empty()) {
    queue_.reserve(least_live(found->segments, found->settled.size()));
    auto put_stored = [&](const ReplicaPages::Live& message) {
      put_logged_before(message.index);
      note_priority(message.priority);
      queue_.put_stored(message.index, message.body_bytes, message.priority);
    };
    pages().recover(found->segments, std::move(found->settled), put_stored, damage_);
    for (const storage::SegmentNote& note : found->segments) wanted.insert(note.file);
    has_dead_segment_ = true;
    is_rescuing_ = !damage_.empty();
  }
  put_logged_before(MessageIndex{UINT64_MAX});
  written_ = last_;
  discarded_ = applied_;
}

}  // namespace warren::cluster
