#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "broker/queue.h"
#include "storage/segment.h"
#include "storage/segment_store.h"

namespace warren::cluster {

using broker::MessageIndex;

/// The messages of one replica that are in segments: puts them there in the order of their indexes,
/// reads them back into the queue, and remembers which are still wanted. One write at a time.
///
/// A segment counts for nothing until its replica has listed it in a durable record.
class ReplicaPages {
 public:
  /// Without `is_durable` segments are neither synced nor listed. `store` and `queue` must outlive
  /// it.
  ReplicaPages(storage::StreamId stream, bool is_durable, storage::SegmentStore& store,
               broker::Queue& queue);

  /// All that the queue holds up to there is in segments that can be read.
  MessageIndex stored() const { return stored_; }
  /// All that the queue holds up to there is in segments that are durable.
  MessageIndex synced() const;
  bool is_writing() const { return write_.has_value(); }
  std::uint64_t writing_bytes() const { return write_ ? write_->bytes : 0; }
  /// Begins a segment with messages up to `up_to` that are in none, unless one is under way. There
  /// must be no message to come with an index up to `up_to`.
  void store(MessageIndex up_to);
  /// Begins to make durable what is written.
  void sync();
  /// Drops from memory what can be read again, except, when `keeps_next`, what is about to be
  /// delivered.
  void evict(bool keeps_next);

  /// The message left the queue. True when a segment became empty by it.
  bool settle(MessageIndex index) { return segments_.settle({index.value}); }
  /// The segments that nobody needs any more.
  std::vector<storage::FileId> take_dead();
  /// All of them: the replica starts over.
  std::vector<storage::FileId> take_all();
  /// Durable segments that no record lists yet.
  std::size_t unlisted() const { return unlisted_; }
  void set_listed() { unlisted_ = 0; }
  /// What a record must say of the durable segments, in order.
  std::vector<storage::SegmentNote> notes() const;
  /// Whether the message was put into a durable segment.
  bool holds(MessageIndex index);

  /// Who wants messages; each has one reading under way, dead letters several.
  enum class Reader : std::uint8_t { deliveries, snapshot, dead_letters };
  /// Has the messages from `from` on read, at least one, and no more than `most_bytes` of several.
  void fetch(MessageIndex from, Reader reader, std::size_t most_bytes = SIZE_MAX);
  /// Has that one read, and what follows it; when no segment has it, it is lost.
  void fetch_or_lose(MessageIndex index, Reader reader, std::size_t most_bytes = SIZE_MAX);
  /// Reads ahead of the deliveries.
  void read_ahead(bool has_consumers);
  /// Messages that were found damaged: they are nowhere else.
  std::vector<MessageIndex> take_lost() { return std::exchange(lost_, {}); }
  bool has_lost() const { return !lost_.empty(); }

  /// For checks: reads the message now; empty when it can't be read.
  broker::Message load(MessageIndex index);

  /// When little is left of a segment, or of some next to each other, begins to put that into a new
  /// one. False when there is nothing to do.
  bool compact();
  bool is_compacting() const { return compaction_.has_value(); }

  void on_event(storage::SegmentEvent event);
  /// The disk refused to write or to read; call `retry` after a while.
  bool is_refused() const { return refuses_writes_ || refuses_reads_; }
  void retry() { refuses_writes_ = refuses_reads_ = false; }

  /// Recovery: takes the segments as listed, and what left them after that, in any order; says
  /// which are damaged. Gives what is live to `visit`, in order; all before it is known by then.
  struct Live {
    MessageIndex index;
    std::uint32_t body_bytes;
    std::uint8_t priority;
  };
  void recover(const std::vector<storage::SegmentNote>& notes, std::vector<MessageIndex> settled,
               const std::function<void(const Live&)>& visit, std::vector<std::string>& damage);
  /// Whether a segment says anything of that message.
  bool knows(MessageIndex index);

 private:
  struct Write {
    storage::FileId file;
    MessageIndex last;
    std::uint64_t bytes = 0;
  };
  struct Reading {
    Reader reader = Reader::deliveries;
    storage::FileId file;
    std::size_t first_slot = 0;
    std::size_t end_slot = 0;
  };
  struct Window {
    MessageIndex first;
    MessageIndex last;
  };
  struct Compaction {
    std::vector<storage::FileId> sources;
    std::size_t next = 0;
    storage::SegmentBuilder builder;
    storage::SegmentExtent extent;
  };

  std::deque<storage::Segment>::const_iterator first_unsynced() const;
  std::optional<Reading>* find_reading(Reader reader, storage::FileId file, std::size_t slot);
  void on_written(const storage::SegmentEvent& event);
  void on_read(const storage::SegmentEvent& event);
  void page_in(const Reading& reading, base::ByteView bytes, const storage::Segment& segment);
  void lose(MessageIndex index);
  void compact_next();
  void on_compaction_read(const storage::SegmentEvent& event);
  void finish_compaction(bool is_good);
  void refuse(const storage::SegmentEvent& event);
  void accept();

  storage::StreamId stream_;
  bool is_durable_;
  storage::SegmentStore& store_;
  broker::Queue& queue_;
  storage::SegmentSet segments_;
  MessageIndex stored_;
  std::optional<Write> write_;
  storage::FileId syncing_;
  /// By Reader; all from dead_letters on are for those.
  static constexpr std::size_t most_readings = 18;
  std::optional<Reading> readings_[most_readings];
  std::deque<Window> windows_;  ///< what was read and may be in memory
  MessageIndex ahead_trigger_;
  MessageIndex ahead_next_;
  std::vector<MessageIndex> lost_;
  std::optional<Compaction> compaction_;
  std::vector<storage::FileId> replaced_;
  std::vector<storage::FileId> uncompactable_;
  std::size_t unlisted_ = 0;
  bool refuses_writes_ = false;
  bool refuses_reads_ = false;
  bool has_complained_ = false;  ///< and nothing was written or read since
};

}  // namespace warren::cluster
