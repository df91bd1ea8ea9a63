#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "storage/disk.h"
#include "storage/log_format.h"
#include "storage/recovery.h"

namespace warren::storage {

/// The node's write-ahead log: one for all queues and for the Raft log, in numbered files.
///
/// Records are gathered during a loop turn and handed to the disk together. While the disk syncs,
/// further batches gather and go out in one write and one sync after it (group commit). Records
/// are durable in the order of their positions; nothing but a single record is atomic.
///
/// A file goes away when no stream needs a record in it or in any file before it. One thread owns
/// the log. It calls nobody but the disk.
class Log : public DiskEvents {
 public:
  struct Options {
    std::size_t file_bytes = 64u << 20;  ///< a file is closed before it grows beyond this
    std::size_t max_live_files = 4;      ///< at least 2; with more than these records are moved
    std::uint64_t salt = 0;              ///< a new random number at each start of a real node
  };

  /// Goes on in a new file, made with the first append. `disk` must outlive the log.
  Log(Disk& disk, Options options, const Recovered& recovered);
  /// The same in two steps, for owners of records that want the log before recovery is over.
  Log(Disk& disk, Options options);
  void go_on(const Recovered& recovered);

  /// Adds a record whose payload is the `parts` put together, at most max_record_bytes of them;
  /// they are copied. `stream` must not be 0. The stream needs the record until it releases it.
  /// The record is durable when synced() is above the position returned.
  LogPosition append(StreamId stream, std::uint8_t kind, std::span<const base::ByteView> parts);
  LogPosition append(StreamId stream, std::uint8_t kind, base::ByteView payload);
  /// The same for a payload of known length that `write` appends to the log's own buffer.
  template <typename Write>
  LogPosition append_with(StreamId stream, std::uint8_t kind, std::size_t payload_bytes,
                          Write&& write) {
    if (failed_) return end_;
    write(begin_record(stream, kind, payload_bytes));
    return end_record(stream, payload_bytes);
  }

  /// Hands what was appended to the disk, at once or, while a sync is under way, after it. With
  /// `sync` all of it becomes durable. Call once per loop turn, also in turns without appends.
  void flush(bool sync);
  /// Writes down how far the log is durable, when nothing is waiting to be written. Without it
  /// damage to the last batch can't be told from a torn write. Call it after a second of silence,
  /// and with `sync` before an orderly stop.
  void mark_synced(bool sync);

  /// The disk's answers. An error is final: see failed().
  void on_disk_done(DiskToken token, base::Result<> result) override;

  LogPosition end() const { return end_; }          ///< all that was appended is before it
  LogPosition written() const { return written_; }  ///< all before it survives the process
  LogPosition synced() const { return synced_; }    ///< all before it is durable
  /// The disk has answered for everything that was appended.
  bool is_idle() const { return in_flight_.empty() && unflushed_bytes_ == 0; }
  /// The disk's first error. The node must end: appends are lost from here on.
  const std::optional<base::Error>& failed() const { return failed_; }

  /// The stream needs nothing before `needed_from`: the position of its oldest record of use, or
  /// end() when there is none. What it appended in place of older records need not be durable yet:
  /// files are removed after it is. A value below an earlier one changes nothing.
  void release(StreamId stream, LogPosition needed_from);
  /// The stream needs nothing at all. It may append again later.
  void forget(StreamId stream);
  /// What recovery found damaged is kept, with all that follows, so that a second start tells of it
  /// again. Call this when whoever lost records has noted it durably.
  void accept_damage();
  /// Streams whose oldest record of use is before move_target(), at most `at_most` of them, in
  /// order. Their owners append again what they still need from before the target and release up
  /// to it; then the oldest file can go. Empty unless there are too many files, and while more was
  /// moved than appended afresh, so that moving never writes more than the traffic does.
  std::vector<StreamId> streams_to_move(std::size_t at_most = 1000) const;
  LogPosition move_target() const { return move_target_; }
  /// While the disk is short of room the log keeps no spare file, and as few others as it can.
  void set_frugal(bool is_frugal);

  /// Streams that need records, in order. After recovery this tells which ones nobody owns.
  std::vector<StreamId> streams() const;
  std::size_t file_count() const { return files_.size(); }
  std::uint64_t disk_bytes() const;

 private:
  struct File {
    FileId id;
    LogPosition first;
    LogPosition end = {};
    std::uint32_t seed = 0;
    std::size_t pins = 0;  ///< streams whose oldest record of use is in this file
    /// Set when neither this file nor one before it is needed: it may go when this is durable.
    std::optional<LogPosition> unneeded_after = {};
  };
  struct Need {
    LogPosition from;
    LogPosition last;  ///< the stream's newest record
  };
  /// One write call: room for a mark, then records, all of one file.
  struct Batch {
    FileId file;
    std::uint64_t offset = 0;
    LogPosition first;
    std::uint32_t seed = 0;
    base::Bytes bytes;
    base::Bytes header;        ///< set when the batch begins its file
    FileId recycled;           ///< over which the file begins, if any
    LogPosition header_start;  ///< the start that `header` states
  };
  struct Request {
    LogPosition written = {};  ///< what is written when it ends
    LogPosition start = {};    ///< what start is durable when it ends, if it is a sync
    bool is_sync = false;
    std::uint64_t bytes = 0;
  };

  base::Bytes& begin_record(StreamId stream, std::uint8_t kind, std::size_t payload_bytes);
  LogPosition end_record(StreamId stream, std::size_t payload_bytes);
  void make_room(std::size_t record_bytes);
  void open_file();
  void open_batch();
  void grow(std::uint64_t bytes);
  void note_need(StreamId stream, LogPosition position, std::size_t bytes);
  bool has_start_to_state() const;

  void hand_over();
  void begin_file(Batch& batch);
  void write_batch(Batch batch, bool sync);
  DiskToken add_request(Request request);
  void fail_for_good(base::Error error);
  void drop_file(FileId file);

  void unpin(LogPosition position);
  File& file_at(LogPosition position);
  void find_unneeded_files();
  void remove_files();
  void set_move_target();
  bool is_to_move(StreamId stream) const;
  void skip_moved();

  Disk& disk_;
  Options options_;
  std::deque<File> files_;  ///< in order; the last is being written if has_open_file_
  bool has_open_file_ = false;
  FileId next_file_;
  LogPosition previous_end_;  ///< where the log before the next file ends
  LogPosition end_;
  LogPosition last_record_end_;  ///< leaves out marks that nothing follows
  LogPosition handed_over_;      ///< everything before it was given to the disk
  LogPosition sync_requested_;   ///< everything before it is durable or will be
  LogPosition written_;
  LogPosition synced_;
  LogPosition start_;          ///< what marks may state, see LogKnowledge
  LogKnowledge stated_;        ///< the highest values given to the disk
  LogPosition durable_start_;  ///< the highest stated start that a crash can't undo

  std::deque<Batch> batches_;  ///< not yet handed over; all but the last are complete
  bool flush_wanted_ = false;
  bool sync_wanted_ = false;
  std::uint64_t unflushed_bytes_ = 0;
  bool is_frugal_ = false;
  FileId spare_;  ///< a file that is no part of the log any more: the next one begins over it
  FileId written_file_;  ///< the file of the last write
  std::deque<Request> in_flight_;
  DiskToken first_token_{1};  ///< of in_flight_.front(); the others follow by one
  std::size_t syncs_in_flight_ = 0;
  std::optional<base::Error> failed_;

  std::unordered_map<StreamId, Need> needs_;
  LogPosition move_target_;
  std::int64_t move_credit_bytes_;
  std::vector<StreamId> movers_;  ///< in order; those before next_mover_ are done
  std::size_t next_mover_ = 0;
};

}  // namespace warren::storage
