#include "cluster/replica.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "cluster/archive.h"
#include "cluster/replica_records.h"

namespace warren::cluster {
namespace {

constexpr std::size_t kept_batch_bytes = 1 << 20;
/// Less than that of a queue in old files is kept in the log, for which a file of its own would be
/// too much: one part in so many of a segment.
constexpr std::size_t small_part_of_segment = 128;
/// So many new segments are worth a header record.
constexpr std::size_t list_at_once = 4;

std::vector<ListedSegment> list_segments(const ReplicaPages* pages) {
  std::vector<ListedSegment> listed;
  if (!pages) return listed;
  for (const storage::SegmentNote& note : pages->notes()) {
    ListedSegment& item = listed.emplace_back();
    item = {note.file, note.extent.bytes, note.extent.index_at, note.count, {}};
    for (storage::KeyRange keys : note.settled)
      item.settled.push_back({keys.first.value, keys.last.value});
  }
  return listed;
}

/// The bytes of an entry in an archive.
std::size_t archived_bytes(const QueueEntry& entry) {
  constexpr std::size_t head = 8 + 8 + 1;
  if (const auto* enqueued = std::get_if<Enqueued>(&entry.what))
    return head + 8 + 8 + 4 + enqueued->message.encoded().size();
  if (const auto* settled = std::get_if<Settled>(&entry.what))
    return head + 4 + 8 * settled->messages.size();
  if (std::holds_alternative<Refused>(entry.what)) return head + 8 + 8;
  if (const auto* dated = std::get_if<Dated>(&entry.what))
    return head + 8 + (dated->ttl_ms ? 9 : 1) + 1;
  return head;
}

/// Entries that go to disk, from the first of `entries` after `after` up to `up_to`, as one record.
struct WrittenEntries {
  base::Ring<QueueEntry>::iterator begin, end;
  std::uint32_t count = 0;
  std::size_t bytes = 8 + 4;
  MessageIndex first, last, first_waiting;

  WrittenEntries(base::Ring<QueueEntry>& entries, MessageIndex after, MessageIndex up_to)
      : begin(std::ranges::upper_bound(entries, after, {}, &QueueEntry::index)), end(begin) {
    for (; end != entries.end() && end->index <= up_to; ++end) {
      if (!end->is_written()) continue;
      if (!first_waiting && end->waits_for_sync()) first_waiting = end->index;
      if (count++ == 0) first = end->index;
      last = end->index;
      bytes += archived_bytes(*end);
    }
  }

  storage::LogPosition append(storage::Log& log, storage::StreamId stream, MessageIndex commit) {
    return log.append_with(stream, entries_record, bytes, [&](base::Bytes& out) {
      ArchiveWriter writer(out);
      writer(commit, count);
      for (auto entry = begin; entry != end; ++entry)
        if (entry->is_written()) writer(*entry);
    });
  }
};

template <typename Record>
storage::LogPosition append_record(storage::Log& log, storage::StreamId stream, RecordKind kind,
                                   Record& record) {
  base::Bytes payload;
  write_archive(payload, record);
  return log.append(stream, kind, payload);
}

}  // namespace

Replica::Replica(QueueId id, bool is_durable, storage::Log& log, storage::SegmentStore& segments)
    : id_(id),
      is_durable_(is_durable),
      log_(log),
      stream_(stream_of(id)),
      segments_(segments) {}

void Replica::append(QueueEntry entry) {
  ASSERT(entry.index > last_);
  note_epoch(entry.epoch, entry.index);
  last_ = entry.index;
  entries_.push_back(std::move(entry));
}

void Replica::append_applied(QueueEntry entry) {
  if (const auto* settled = std::get_if<Settled>(&entry.what))
    settle(settled->messages);
  append(std::move(entry));
  applied_ = last_;
}

void Replica::apply(const QueueEntry& entry) {
  if (const auto* enqueued = std::get_if<Enqueued>(&entry.what)) {
    put(entry.index, enqueued->message);
    producers_.note(enqueued->producer, enqueued->seq);
  } else if (const auto* settled = std::get_if<Settled>(&entry.what)) {
    if (!recovering_) queue_.remove(settled->messages);
    settle(settled->messages);
  } else if (const auto* refused = std::get_if<Refused>(&entry.what)) {
    producers_.note_refused(refused->producer, refused->seq);
  } else if (const auto* dated = std::get_if<Dated>(&entry.what)) {
    queue_.add_time({entry.index, dated->arrived_ms, dated->ttl_ms, dated->has_own});
  }
}

void Replica::put(MessageIndex index, const broker::Message& message) {
  if (!recovering_) return queue_.put(index, message, false);
  // Written again by a move, with the first record still there.
  if (index <= recovering_->highest && recovering_->messages.find(index)) return;
  recovering_->messages.insert({.index = index, .message = message});
  recovering_->highest = std::max(recovering_->highest, index);
}

void Replica::settle(const std::vector<MessageIndex>& messages) {
  if (recovering_) {
    for (MessageIndex index : messages) recovering_->messages.take(index);
    recovering_->settled.insert(recovering_->settled.end(), messages.begin(), messages.end());
  } else if (pages_) {
    for (MessageIndex index : messages) has_dead_segment_ |= pages_->settle(index);
  }
}

void Replica::apply_up_to(MessageIndex limit) {
  auto next = std::ranges::upper_bound(entries_, applied_, {}, &QueueEntry::index);
  for (; next != entries_.end() && next->index <= limit; ++next) apply(*next);
  applied_ = std::max(applied_, limit);
}

void Replica::apply_committed(MessageIndex commit) {
  commit = std::min(commit, last_);
  if (commit <= commit_) return;
  commit_ = commit;
  apply_up_to(commit);
  discard(commit);
}

void Replica::apply_all() { apply_up_to(last_); }

std::vector<std::pair<MessageIndex, broker::Message>> Replica::contents() const {
  std::map<MessageIndex, broker::Message> messages;
  queue_.for_each_message(MessageIndex{}, [&](MessageIndex index, const broker::Message& message) {
    messages.emplace(index, message ? message : pages_->load(index));
    return true;
  });
  for (const QueueEntry& entry : entries_) {
    if (entry.index <= applied_) continue;
    if (const auto* enqueued = std::get_if<Enqueued>(&entry.what))
      messages.emplace(entry.index, enqueued->message);
    else if (const auto* settled = std::get_if<Settled>(&entry.what))
      for (MessageIndex index : settled->messages) messages.erase(index);
  }
  return {messages.begin(), messages.end()};
}

void Replica::set_commit(MessageIndex commit) {
  ASSERT(commit >= commit_ && commit <= last_);
  commit_ = commit;
}

void Replica::cut(MessageIndex agreed) {
  ASSERT(agreed >= applied_);
  if (agreed >= last_) return;
  while (!entries_.empty() && entries_.back().index > agreed) entries_.pop_back();
  while (!epochs_.empty() && epochs_.back().start > agreed) epochs_.pop_back();
  while (!unsynced_.empty() && unsynced_.back().first > agreed) unsynced_.pop_back();
  last_ = agreed;
  if (written_ > agreed) {
    written_ = agreed;
    CutRecord record{agreed};
    append_record(log_, stream_, cut_record, record);
  }
}

void Replica::discard(MessageIndex up_to) {
  up_to = std::min(up_to, applied_);
  if (is_durable_) up_to = std::min(up_to, written_);
  while (!entries_.empty() && entries_.front().index <= up_to) entries_.pop_front();
  discarded_ = std::max(discarded_, up_to);
  // Two logs that have so little in common agree by a snapshot.
  while (epochs_.size() > 64 && epochs_[1].start <= commit_) epochs_.erase(epochs_.begin());
}

void Replica::note_epoch(Epoch epoch, MessageIndex index) {
  if (epochs_.empty() || epochs_.back().epoch < epoch) epochs_.push_back({epoch, index});
}

void Replica::start_snapshot() {
  std::vector<storage::FileId> segments;
  if (pages_) segments = pages_->take_all();
  pages_.reset();
  has_dead_segment_ = false;
  std::uint8_t max_priority = queue_.max_priority();
  queue_ = broker::Queue();
  queue_.set_max_priority(max_priority);
  entries_.clear();
  discarded_ = applied_ = commit_ = last_ = written_ = MessageIndex{};
  epochs_.clear();
  producers_.assign({}, {});
  unsynced_.clear();
  chunks_.clear();
  is_usable_ = false;
  if (is_durable_) {
    header_ = log_.append(stream_, snapshot_start_record, base::ByteView());
    has_header_ = true;
    log_.release(stream_, header_);
  }
  doom(std::move(segments));
}

void Replica::add_snapshot(std::vector<SnapshotMessage> messages) {
  std::erase_if(messages, [this](const SnapshotMessage& m) { return m.index <= last_; });
  for (const SnapshotMessage& item : messages) {
    put(item.index, item.message);
    last_ = item.index;
  }
  if (!is_durable_) return;
  std::erase_if(messages, [](const SnapshotMessage& m) { return !m.message.is_persistent(); });
  if (!messages.empty()) keep(messages);
}

void Replica::finish_snapshot(SnapshotEnd end) {
  discarded_ = last_ = applied_ = commit_ = written_ = std::max(last_, end.last);
  epochs_ = std::move(end.epochs);
  producers_.assign(end.producers, end.refusals);
  queue_.set_times(marks_of(end.dates));
  is_usable_ = true;
  if (!is_durable_) return;
  write_header();
  unsynced_.push_back({header_, last_});
  wants_sync_ = true;
}

bool Replica::write() {
  if (!doomed_.empty()) remove_doomed();
  if (is_durable_ && written_ < last_) write_entries();
  if (std::exchange(has_dead_segment_, false) && pages_) doom(pages_->take_dead());
  if (pages_ && is_durable_) list_segments_if_many();
  return std::exchange(wants_sync_, false);
}

void Replica::write_entries() {
  WrittenEntries fresh(entries_, written_, last_);
  written_ = last_;
  if (fresh.count == 0) return;
  storage::LogPosition position = fresh.append(log_, stream_, commit_);
  chunks_.push_back({position, fresh.first, fresh.last});
  if (!fresh.first_waiting) return;
  unsynced_.push_back({position, fresh.first_waiting});
  wants_sync_ = true;
}

MessageIndex Replica::acked() {
  if (!is_durable_) return last_;
  while (!unsynced_.empty() && log_.synced() > unsynced_.front().position) unsynced_.pop_front();
  if (unsynced_.empty()) return written_;
  std::uint64_t waiting = unsynced_.front().first.value;
  return MessageIndex{waiting == 0 ? 0 : waiting - 1};
}

void Replica::write_header() {
  HeaderRecord record{is_usable_,
                      applied_,
                      epochs_,
                      producers_.marks(),
                      producers_.refusals(),
                      dates_of(queue_.times()),
                      list_segments(pages_.get())};
  if (pages_) pages_->set_listed();
  header_ = append_record(log_, stream_, header_record, record);
  has_header_ = true;
}

void Replica::keep(std::vector<SnapshotMessage>& batch) {
  KeptRecord record{std::move(batch)};
  storage::LogPosition position = append_record(log_, stream_, kept_record, record);
  chunks_.push_back({position, record.messages.front().index, record.messages.back().index});
  batch.clear();
}

void Replica::keep_again(std::vector<Chunk> old) {
  std::ranges::sort(old, {}, &Chunk::first);
  std::vector<MessageIndex> newer;
  for (const Chunk& chunk : chunks_) newer.push_back(chunk.first);
  std::ranges::sort(newer);
  std::vector<SnapshotMessage> batch;
  std::size_t batch_bytes = 0;
  auto keep_batch = [&] {
    if (!batch.empty()) keep(batch);
    batch_bytes = 0;
  };
  for (const Chunk& chunk : old) {
    // A record's messages are found by its range, so that must not span those of newer records.
    auto between = std::ranges::lower_bound(newer, chunk.first);
    bool is_apart = !batch.empty() && between != newer.begin() &&
                    *std::prev(between) > batch.front().index;
    if (is_apart) keep_batch();
    queue_.for_each_message(chunk.first, [&](MessageIndex index, const broker::Message& message) {
      if (index > chunk.last) return false;
      bool is_kept = !batch.empty() && index <= batch.back().index;
      if (is_kept || !message || !message.is_persistent()) return true;
      if (pages_ && pages_->holds(index)) return true;
      batch.push_back({index, message});
      batch_bytes += message.encoded().size();
      if (batch_bytes >= kept_batch_bytes) keep_batch();
      return true;
    });
  }
  keep_batch();
}

void Replica::move(storage::LogPosition target) {
  if (!is_durable_) return log_.forget(stream_);
  // A header speaks of all that is applied, so that must be written before it.
  if (!is_usable_ || written_ < last_ || !store_before(target)) return;
  std::vector<Chunk> old;
  for (const Chunk& chunk : chunks_)
    if (chunk.position < target) old.push_back(chunk);
  erase_if(chunks_, [&](const Chunk& chunk) { return chunk.position < target; });
  write_header();
  storage::LogPosition needed_from = header_;
  keep_again(std::move(old));
  write_tail();
  for (const Chunk& chunk : chunks_) needed_from = std::min(needed_from, chunk.position);
  log_.release(stream_, needed_from);
}

/// Whether what is left of the records before `target` is in durable segments, or so little that
/// it may stay in the log. Otherwise something was begun that leads there.
bool Replica::store_before(storage::LogPosition target) {
  MessageIndex last;
  for (const Chunk& chunk : chunks_)
    if (chunk.position < target) last = std::max(last, chunk.last);
  last = std::min(last, last_put());
  MessageIndex stored = pages_ ? pages_->stored() : MessageIndex{};
  std::uint64_t small = segments_.options().segment_bytes / small_part_of_segment;
  if (stored < last && !(pages_ && pages_->is_writing())) {
    std::uint64_t bytes = 0;
    queue_.for_each_message(stored.next(), [&](MessageIndex index, const broker::Message& message) {
      if (index <= last && message.is_persistent()) bytes += message.encoded().size();
      return index <= last && bytes <= small;
    });
    if (bytes > small) pages().store(last);
  }
  if (!pages_) return true;
  if (pages_->is_writing()) return false;
  if (pages_->synced() >= std::min(last, pages_->stored())) return true;
  pages_->sync();
  return false;
}

void Replica::write_tail() {
  WrittenEntries tail(entries_, applied_, written_);
  if (tail.count == 0) return;
  storage::LogPosition position = tail.append(log_, stream_, commit_);
  chunks_.push_back({position, tail.first, tail.last});
}

// Paging.

/// A listed segment is what a start need not read, and what log files need not be kept for.
void Replica::list_segments_if_many() {
  if (!is_usable_ || written_ < last_) return;
  pages_->sync();
  if (pages_->unlisted() < list_at_once) return;
  write_header();
  wants_sync_ = true;
  release_stored();
}

/// Lets go of the records whose messages are all in listed segments.
void Replica::release_stored() {
  if (is_rescuing_) return;
  MessageIndex stored = std::min(pages_->synced(), applied_);
  storage::LogPosition needed_from = header_;
  erase_if(chunks_, [&](const Chunk& chunk) {
    return chunk.last <= stored && chunk.position < header_;
  });
  for (const Chunk& chunk : chunks_) needed_from = std::min(needed_from, chunk.position);
  log_.release(stream_, needed_from);
}

ReplicaPages& Replica::pages() {
  if (!pages_) pages_ = std::make_unique<ReplicaPages>(stream_, is_durable_, segments_, queue_);
  return *pages_;
}

void Replica::page_out(std::uint64_t wanted_bytes, bool is_urgent) {
  std::uint64_t before = queue_.resident_bytes();
  if (pages_) pages_->evict(!is_urgent && queue_.counts().consumers > 0);
  std::uint64_t freed = before - queue_.resident_bytes();
  if (freed < wanted_bytes) pages().store(last_put());
}

void Replica::page_in() {
  if (pages_) pages_->read_ahead(queue_.counts().consumers > 0);
}

void Replica::fetch(MessageIndex from) {
  if (pages_) pages_->fetch(from, ReplicaPages::Reader::snapshot);
}

void Replica::fetch_dying(std::size_t most, std::size_t most_bytes) {
  for (MessageIndex index : queue_.missing_dying(most))
    pages().fetch_or_lose(index, ReplicaPages::Reader::dead_letters, most_bytes);
}

void Replica::fetch_waiting(MessageIndex from) {
  pages().fetch_or_lose(from, ReplicaPages::Reader::deliveries);
}

std::vector<MessageIndex> Replica::take_lost() {
  return pages_ ? pages_->take_lost() : std::vector<MessageIndex>{};
}

void Replica::on_segment(storage::SegmentEvent event) {
  if (!pages_) return;
  bool was_compacting = pages_->is_compacting();
  pages_->on_event(std::move(event));
  has_dead_segment_ |= was_compacting && !pages_->is_compacting();
}

void Replica::retry() {
  if (pages_) pages_->retry();
}

void Replica::doom(std::vector<storage::FileId> segments) {
  if (segments.empty()) return;
  if (is_durable_ && is_usable_) {
    write_header();
    wants_sync_ = true;
  }
  for (storage::FileId file : segments) {
    if (is_durable_)
      doomed_.push_back({header_, file});
    else
      segments_.remove(file);
  }
}

void Replica::remove_doomed() {
  while (!doomed_.empty() && doomed_.front().position < log_.synced()) {
    segments_.remove(doomed_.front().file);
    doomed_.pop_front();
  }
}

void Replica::forget() {
  log_.forget(stream_);
  for (const Doomed& doomed : doomed_) segments_.remove(doomed.file);
  doomed_.clear();
  if (!pages_) return;
  for (storage::FileId file : pages_->take_all()) segments_.remove(file);
  pages_.reset();
}

}  // namespace warren::cluster
