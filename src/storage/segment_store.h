#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>

#include "storage/segment_format.h"

namespace warren::storage {

/// A request about a segment has ended.
struct SegmentEvent {
  enum class Kind { written, synced, read };
  Kind kind{};
  StreamId stream;
  FileId file;
  std::uint64_t offset = 0;                 ///< of what was read
  base::Result<base::Bytes> result = base::Bytes();  ///< the bytes of a read; else empty
};

/// The node's segment files: gives them numbers, has them written, synced, read and removed, and
/// tells whose request has ended. It shares the disk with the log, from which its tokens differ.
class SegmentStore {
 public:
  struct Options {
    std::size_t segment_bytes = 8u << 20;  ///< a segment ends when it is that long
    std::size_t read_bytes = 1u << 20;     ///< of messages that are read back together
    std::uint64_t salt = 0;                ///< a new random number at each start of a real node
  };

  /// `disk` must outlive it.
  SegmentStore(Disk& disk, Options options) : disk_(disk), options_(options) {}
  const Options& options() const { return options_; }

  /// At the start: finds the files that are there.
  base::Result<> find_files();
  /// Reads a segment's index, or what is left of it; `is_damaged` is set when it is not the whole.
  /// Nothing when no message can be found.
  std::optional<SegmentIndex> load_index(FileId file, StreamId stream, SegmentExtent extent,
                                         bool& is_damaged);
  /// Removes the files that were found and are not in `wanted`.
  void remove_others(const std::set<FileId>& wanted);
  /// For checks: reads now.
  base::Result<> load(FileId file, std::uint64_t offset, std::uint64_t bytes, base::Bytes& into) {
    return disk_.load(file, offset, bytes, into);
  }

  /// The identity of a new segment.
  SegmentIdentity make_identity(StreamId stream);
  /// Hands a built segment to the disk. It may be read when it is written.
  void write(const SegmentIdentity& identity, base::Bytes bytes);
  void sync(StreamId stream, FileId file);
  void read(StreamId stream, FileId file, std::uint64_t offset, std::uint64_t bytes);
  void remove(FileId file);

  static bool is_own(DiskToken token) { return token.value >= first_token; }
  /// Nothing for requests that nobody waits for.
  std::optional<SegmentEvent> on_disk_done(DiskToken token, base::Result<> result);
  std::optional<SegmentEvent> on_disk_read(DiskToken token, base::Result<base::Bytes> result);

 private:
  static constexpr std::uint64_t first_token = 1ull << 63;

  DiskToken add(SegmentEvent event);
  std::optional<SegmentEvent> take(DiskToken token);

  Disk& disk_;
  Options options_;
  std::uint64_t last_file_ = segment_files;
  std::uint64_t last_token_ = first_token;
  std::vector<FileId> found_;
  std::map<DiskToken, SegmentEvent> waiting_;  ///< of a few requests at a time
};

}  // namespace warren::storage
