#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/result.h"

namespace warren::storage {

/// Names a file. Log files have numbers from 1 up; a segment's number goes on from segment_files.
/// A disk makes the file's name from it.
using FileId = base::Id<struct FileTag>;
inline constexpr std::uint64_t segment_files = 1ull << 63;
constexpr bool is_segment(FileId file) { return file.value >= segment_files; }
/// Names one request to the disk. Whoever asks chooses it.
using DiskToken = base::Id<struct DiskTokenTag>;

/// Told when a request has ended.
class DiskEvents {
 public:
  virtual ~DiskEvents() = default;
  virtual void on_disk_done(DiskToken token, base::Result<> result) = 0;
  /// Ends a read_at.
  virtual void on_disk_read(DiskToken, base::Result<base::Bytes>) {}
};

/// The files of one directory, without waiting for them. The server implements it with a thread
/// and real files, the simulator in memory.
///
/// Requests about log files are carried out one after the other in the order in which they were
/// made; so are those about segments, and reads, each apart from the others, so that none waits for
/// another kind. Each ends with one call of DiskEvents, in the same order, on the caller's thread,
/// and never from inside a request call; the listener may make further requests. After the first
/// failure about log files nothing more is carried out there: each later request ends with that
/// same error, so that a write never lands behind a sync that failed. Elsewhere a failure is that
/// of the one request.
class Disk {
 public:
  virtual ~Disk() = default;

  /// Writes all of `data` at `offset`; makes the file when it is missing. With `sync_after` the
  /// file is durable before the request ends: its bytes so far, its length, its name. Without, a
  /// crash may lose or cut this write and keep a later one; the bytes between read as zeros.
  /// A log file may grow beyond what is written behind its beginning; zeros stand there.
  virtual void write(FileId file, std::uint64_t offset, base::Bytes data, bool sync_after,
                     DiskToken token) = 0;
  /// Makes durable what was written to the file before.
  virtual void sync(FileId file, DiskToken token) = 0;
  /// Gives the file another name, under which there must be none. A crash may undo it until a sync
  /// of the file under its new name.
  virtual void rename(FileId file, FileId to, DiskToken token) = 0;
  /// Removes the file; a missing one is no failure. A crash may bring it back.
  virtual void remove(FileId file, DiskToken token) = 0;
  /// Reads at most `bytes`; fewer only where the file ends. What was not written before the request
  /// may be missing.
  virtual void read_at(FileId file, std::uint64_t offset, std::uint64_t bytes,
                       DiskToken token) = 0;

  /// For start-up, before any request above. The calls wait.
  /// The files that exist, in ascending order.
  virtual base::Result<std::vector<FileId>> list() = 0;
  /// The whole file. It is made durable first: bytes that were read can't get lost later.
  virtual base::Result<base::Bytes> read(FileId file) = 0;
  /// Zero when it is missing.
  virtual std::uint64_t size(FileId file) const = 0;
  /// A part of a file in place of what `into` holds, as read_at; the call waits. May also be used
  /// later, for checks.
  virtual base::Result<> load(FileId file, std::uint64_t offset, std::uint64_t bytes,
                              base::Bytes& into) = 0;
};

}  // namespace warren::storage
