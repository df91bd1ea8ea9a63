#include "cluster/replica.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "cluster/archive.h"

namespace warren::cluster {
namespace {

enum RecordKind : std::uint8_t {
  entries_record = 1,
  cut_record = 2,
  kept_record = 3,
  header_record = 4,
  snapshot_start_record = 5,
};

struct EntriesRecord {
  MessageIndex commit;
  std::vector<QueueEntry> entries;
  template <typename A>
  void fields(A& a) { a(commit, entries); }
};
struct CutRecord {
  MessageIndex agreed;
  template <typename A>
  void fields(A& a) { a(agreed); }
};
struct KeptRecord {
  std::vector<SnapshotMessage> messages;
  template <typename A>
  void fields(A& a) { a(messages); }
};
/// Everything but the messages, after the entry `applied`.
struct HeaderRecord {
  bool is_usable = true;
  MessageIndex applied;
  MessageIndex delivered;
  EpochHistory epochs;
  std::vector<ProducerMark> producers;
  template <typename A>
  void fields(A& a) { a(is_usable, applied, delivered, epochs, producers); }
};

constexpr std::size_t kept_batch_bytes = 1 << 20;

template <typename Record>
storage::LogPosition append_record(storage::Log& log, storage::StreamId stream, RecordKind kind,
                                   Record& record) {
  base::Bytes payload;
  write_archive(payload, record);
  return log.append(stream, kind, payload);
}

}  // namespace

Replica::Replica(QueueId id, bool is_durable, storage::Log& log)
    : id_(id), is_durable_(is_durable), log_(log), stream_(stream_of(id)) {}

void Replica::append(QueueEntry entry) {
  ASSERT(entry.index > last_);
  note_epoch(entry.epoch, entry.index);
  last_ = entry.index;
  entries_.push_back(std::move(entry));
}

void Replica::append_applied(QueueEntry entry) {
  if (const auto* delivered = std::get_if<Delivered>(&entry.what))
    delivered_ = std::max(delivered_, delivered->up_to);
  append(std::move(entry));
  applied_ = last_;
}

void Replica::apply(const QueueEntry& entry) {
  if (const auto* enqueued = std::get_if<Enqueued>(&entry.what)) {
    put(entry.index, enqueued->message);
    producers_.note(enqueued->producer, enqueued->seq);
  } else if (const auto* settled = std::get_if<Settled>(&entry.what)) {
    if (recovering_)
      for (MessageIndex index : settled->messages) recovering_->erase(index);
    else
      queue_.remove(settled->messages);
  } else if (const auto* delivered = std::get_if<Delivered>(&entry.what)) {
    delivered_ = std::max(delivered_, delivered->up_to);
  }
}

void Replica::put(MessageIndex index, const broker::Message& message) {
  if (recovering_)
    recovering_->insert_or_assign(index, message);
  else
    queue_.put(index, message, false);
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
    messages.emplace(index, message);
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
  // Agreement on entries is only ever sought above somebody's commit mark.
  while (epochs_.size() > 64 && epochs_[1].start <= commit_) epochs_.erase(epochs_.begin());
}

void Replica::note_epoch(Epoch epoch, MessageIndex index) {
  if (epochs_.empty() || epochs_.back().epoch < epoch) epochs_.push_back({epoch, index});
}

void Replica::start_snapshot() {
  queue_ = broker::Queue();
  entries_.clear();
  discarded_ = applied_ = commit_ = last_ = delivered_ = written_ = MessageIndex{};
  epochs_.clear();
  producers_.assign({});
  unsynced_.clear();
  chunks_.clear();
  is_usable_ = false;
  if (!is_durable_) return;
  header_ = log_.append(stream_, snapshot_start_record, base::ByteView());
  has_header_ = true;
  log_.release(stream_, header_);
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
  delivered_ = end.delivered;
  epochs_ = std::move(end.epochs);
  producers_.assign(end.producers);
  is_usable_ = true;
  if (!is_durable_) return;
  write_header();
  unsynced_.push_back({header_, last_});
  wants_sync_ = true;
}

bool Replica::write() {
  bool wants_sync = std::exchange(wants_sync_, false);
  if (!is_durable_ || written_ >= last_) return wants_sync;
  EntriesRecord record{commit_, {}};
  MessageIndex first_waiting;
  auto next = std::ranges::upper_bound(entries_, written_, {}, &QueueEntry::index);
  for (; next != entries_.end(); ++next) {
    if (!next->is_written()) continue;
    if (!first_waiting && next->waits_for_sync()) first_waiting = next->index;
    record.entries.push_back(*next);
  }
  written_ = last_;
  if (record.entries.empty()) return wants_sync;
  storage::LogPosition position = append_record(log_, stream_, entries_record, record);
  chunks_.push_back({position, record.entries.front().index, record.entries.back().index});
  if (!first_waiting) return wants_sync;
  unsynced_.push_back({position, first_waiting});
  return true;
}

MessageIndex Replica::acked() {
  if (!is_durable_) return last_;
  while (!unsynced_.empty() && log_.synced() > unsynced_.front().position) unsynced_.pop_front();
  if (unsynced_.empty()) return written_;
  std::uint64_t waiting = unsynced_.front().first.value;
  return MessageIndex{waiting == 0 ? 0 : waiting - 1};
}

void Replica::write_header() {
  HeaderRecord record{is_usable_, applied_, delivered_, epochs_, producers_.marks()};
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
      if (!message.is_persistent() || (!batch.empty() && index <= batch.back().index)) return true;
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
  if (!is_usable_) return;
  std::vector<Chunk> old;
  for (const Chunk& chunk : chunks_)
    if (chunk.position < target) old.push_back(chunk);
  std::erase_if(chunks_, [&](const Chunk& chunk) { return chunk.position < target; });
  write_header();
  storage::LogPosition needed_from = header_;
  keep_again(std::move(old));

  EntriesRecord tail{commit_, {}};
  auto next = std::ranges::upper_bound(entries_, applied_, {}, &QueueEntry::index);
  for (; next != entries_.end() && next->index <= written_; ++next)
    if (next->is_written()) tail.entries.push_back(*next);
  if (!tail.entries.empty()) {
    storage::LogPosition position = append_record(log_, stream_, entries_record, tail);
    chunks_.push_back({position, tail.entries.front().index, tail.entries.back().index});
  }
  for (const Chunk& chunk : chunks_) needed_from = std::min(needed_from, chunk.position);
  log_.release(stream_, needed_from);
}

void Replica::forget() { log_.forget(stream_); }

void Replica::recover(storage::LogPosition position, std::uint8_t kind, base::ByteView payload) {
  if (!recovering_) recovering_ = std::make_unique<std::map<MessageIndex, broker::Message>>();
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
      recovering_->clear();
      entries_.clear();
      chunks_.clear();
      epochs_.clear();
      producers_.assign({});
      applied_ = commit_ = last_ = delivered_ = MessageIndex{};
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
  delivered_ = record->delivered;
  is_usable_ = record->is_usable;
  producers_.assign(record->producers);
  // It knows of everything that was written before it; records that are left may not tell all.
  epochs_ = std::move(record->epochs);
}

void Replica::finish_recovery() {
  if (!recovering_) return;
  for (auto& [index, message] : *recovering_) queue_.put(index, std::move(message), false);
  recovering_.reset();
  written_ = last_;
  discarded_ = applied_;
}

}  // namespace warren::cluster
