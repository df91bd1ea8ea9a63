#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ring.h"
#include "broker/queue.h"
#include "cluster/link_message.h"
#include "cluster/producers.h"
#include "cluster/queue_entry.h"
#include "cluster/replica_pages.h"
#include "storage/log.h"

namespace warren::cluster {

/// One node's copy of a queue: the messages after all applied entries, the entries after those,
/// and both in the node's write-ahead log when the queue is durable (docs/formats/queue.md).
///
/// A follower applies an entry when its leader says that it is committed, so what it applied is
/// never taken back. A leader applies at once. Entries stay in memory until `discard`.
class Replica {
 public:
  /// `log` and `segments` must outlive the replica. The replica is empty and usable.
  Replica(QueueId id, bool is_durable, storage::Log& log, storage::SegmentStore& segments);

  /// Recovery: each record of its stream in order, then finish, which puts the segments in use into
  /// `wanted`.
  void recover(storage::LogPosition position, std::uint8_t kind, base::ByteView payload);
  void finish_recovery(std::set<storage::FileId>& wanted);
  /// What recovery found damaged, for the operator.
  std::vector<std::string> take_damage() { return std::exchange(damage_, {}); }

  QueueId id() const { return id_; }
  bool is_durable() const { return is_durable_; }
  /// False when what is here is only part of a snapshot.
  bool is_usable() const { return is_usable_; }
  MessageIndex last() const { return last_; }
  MessageIndex commit() const { return commit_; }
  const EpochHistory& epochs() const { return epochs_; }
  Producers& producers() { return producers_; }
  const Producers& producers() const { return producers_; }
  broker::Queue& queue() { return queue_; }
  const broker::Queue& queue() const { return queue_; }
  /// In order of their indexes, which may have gaps after a restart.
  const base::Ring<QueueEntry>& entries() const { return entries_; }
  /// Entries up to there are not in entries() any more.
  MessageIndex discarded() const { return discarded_; }
  MessageIndex applied() const { return applied_; }
  /// The messages that are left when every entry is applied; for checks, it reads from disk.
  std::vector<std::pair<MessageIndex, broker::Message>> contents() const;

  /// Adds an entry with an index above last().
  void append(QueueEntry entry);
  /// Adds an entry that its leader has applied to queue() and producers() already.
  void append_applied(QueueEntry entry);
  /// Takes the commit mark to `commit`, or to last() if that is less, and applies up to it.
  void apply_committed(MessageIndex commit);
  /// Applies everything: the log becomes the truth (promotion).
  void apply_all();
  /// The leader's mark; applies nothing.
  void set_commit(MessageIndex commit);
  /// Drops the entries after `agreed`, which must not be applied.
  void cut(MessageIndex agreed);
  /// Forgets entries up to `up_to` that are applied: nobody will ask for them.
  void discard(MessageIndex up_to);

  void start_snapshot();
  void add_snapshot(std::vector<SnapshotMessage> messages);
  void finish_snapshot(SnapshotEnd end);

  /// Hands the entries of this turn to the log, in one record. True when a sync is wanted.
  bool write();
  /// Everything up to there is as safe here as it will get.
  MessageIndex acked();
  bool is_waiting_for_sync() const { return !unsynced_.empty() || !doomed_.empty(); }

  /// Takes what is still needed from before `target` elsewhere, so that old files can go: much of
  /// it into segments, which takes several calls, little of it to the log's end.
  void move(storage::LogPosition target);
  /// Frees memory: drops what segments hold, when `is_urgent` also what is about to be delivered,
  /// and begins to write more to them.
  void page_out(std::uint64_t wanted_bytes, bool is_urgent = false);
  /// That much will leave memory when it is written.
  std::uint64_t writing_bytes() const { return pages_ ? pages_->writing_bytes() : 0; }
  /// Reads what is to be delivered next. Call after deliveries.
  void page_in();
  /// A snapshot needs the messages from there on.
  void fetch(MessageIndex from);
  /// The next `most` that are dying are wanted in memory, the first above all; what follows one may
  /// come with it, as far as `most_bytes` go.
  void fetch_dying(std::size_t most, std::size_t most_bytes);
  /// The same for those from there on that wait in a queue that delivers nothing.
  void fetch_waiting(MessageIndex from);
  /// Messages whose only copy here was found damaged. Whoever leads must order their end.
  std::vector<MessageIndex> take_lost();
  bool has_lost() const { return pages_ && pages_->has_lost(); }
  /// Begins to put together what is left in sparse segments. False when there is nothing to do.
  bool compact() { return pages_ && pages_->compact(); }
  bool is_compacting() const { return pages_ && pages_->is_compacting(); }
  void on_segment(storage::SegmentEvent event);
  bool is_refused() const { return pages_ && pages_->is_refused(); }
  void retry();
  /// Drops everything from the log; the queue is deleted.
  void forget();

  /// The streams of queues in the log.
  static storage::StreamId stream_of(QueueId id) { return {id.value + first_stream}; }
  static bool is_queue_stream(storage::StreamId stream) { return stream.value >= first_stream; }
  static QueueId queue_of(storage::StreamId stream) { return {stream.value - first_stream}; }

 private:
  static constexpr std::uint64_t first_stream = 16;

  /// A record in the log and the indexes of the messages in it.
  struct Chunk {
    storage::LogPosition position;
    MessageIndex first;
    MessageIndex last;
  };
  struct Unsynced {
    storage::LogPosition position;
    MessageIndex first;  ///< the first entry in the record that waits for the sync
  };

  void apply(const QueueEntry& entry);
  void apply_up_to(MessageIndex limit);
  void note_epoch(Epoch epoch, MessageIndex index);
  void write_entries();
  void write_header();
  void write_tail();
  void list_segments_if_many();
  void release_stored();
  void doom(std::vector<storage::FileId> segments);
  void remove_doomed();
  void settle(const std::vector<MessageIndex>& messages);
  ReplicaPages& pages();
  MessageIndex last_put() const { return is_usable_ ? applied_ : last_; }
  bool store_before(storage::LogPosition target);
  void keep(std::vector<SnapshotMessage>& batch);
  void keep_again(std::vector<Chunk> old);
  void recover_entries(storage::LogPosition position, base::ByteView payload);
  void recover_kept(storage::LogPosition position, base::ByteView payload);
  void recover_header(base::ByteView payload);
  void put(MessageIndex index, const broker::Message& message);

  QueueId id_;
  bool is_durable_;
  storage::Log& log_;
  storage::StreamId stream_;

  broker::Queue queue_;
  base::Ring<QueueEntry> entries_;
  MessageIndex discarded_;
  MessageIndex applied_;
  MessageIndex commit_;
  MessageIndex last_;
  EpochHistory epochs_;
  Producers producers_;
  bool is_usable_ = true;

  MessageIndex written_;
  base::Ring<Unsynced> unsynced_;
  base::Ring<Chunk> chunks_;
  storage::LogPosition header_;
  bool has_header_ = false;
  bool wants_sync_ = false;

  storage::SegmentStore& segments_;
  std::unique_ptr<ReplicaPages> pages_;  ///< made with the first segment
  bool has_dead_segment_ = false;
  /// A segment was found damaged, and messages of it may be in the log still.
  bool is_rescuing_ = false;
  /// Segments that go when a record that does not list them is durable.
  struct Doomed {
    storage::LogPosition position;
    storage::FileId file;
  };
  base::Ring<Doomed> doomed_;
  std::vector<std::string> damage_;
  /// During recovery messages come in any order; empty afterwards.
  struct Recovering {
    broker::MessageRun messages;
    MessageIndex highest;                        ///< of all that were in `messages`
    std::vector<storage::SegmentNote> segments;  ///< as last listed
    std::vector<MessageIndex> settled;           ///< after that
  };
  std::unique_ptr<Recovering> recovering_;
};

}  // namespace warren::cluster
