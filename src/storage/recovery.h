#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "storage/log_format.h"

namespace warren::storage {

/// A stretch of the log that was durable once and does not verify any more.
struct Corruption {
  FileId file;
  std::uint64_t offset = 0;  ///< in the file; 0 with bytes == 0 when the whole file is missing
  std::uint64_t bytes = 0;
  LogPosition position = {};
  StreamId stream = {};  ///< whose record it was; 0 when that can't be told
  std::string text;      ///< what is damaged and what to do, for the operator
};

/// A file that stays part of the log.
struct RecoveredFile {
  FileId file;
  LogPosition first;  ///< position of its first byte
  LogPosition end;    ///< what belongs to the log in it ends before this
};

/// What recovery found; the log goes on from it.
struct Recovered {
  LogPosition end;            ///< the records that were visited are before it
  LogPosition next_position;  ///< first position of the next file: above any that was used
  FileId next_file{1};
  LogPosition start;        ///< records before it were not visited: nobody needs them
  LogPosition synced_mark;  ///< the highest mark found: all before it was durable for certain
  std::size_t records = 0;
  /// The last writes before the crash were incomplete, and nobody had been told that they are
  /// durable. They were cut off at `end`.
  bool torn_tail = false;
  std::uint64_t dropped_bytes = 0;     ///< length of the torn tail
  std::vector<Corruption> corruption;  ///< in order; at most max_listed_corruption
  std::uint64_t corrupt_places = 0;    ///< how many there were in all
  std::vector<RecoveredFile> files;    ///< in order
  std::vector<FileId> dead_files;      ///< no part of the log any more; the log removes them
  std::map<StreamId, LogPosition> first_records;  ///< where each stream's first record is
  std::map<StreamId, LogPosition> last_records;
};

inline constexpr std::size_t max_listed_corruption = 100;

/// Gets each record in order. The payload is valid during the call only.
using RecordVisitor =
    std::function<void(LogPosition, StreamId, std::uint8_t kind, base::ByteView payload)>;

/// Reads the log of `disk` from its start to its end, at start-up, before any request is made. All
/// that it visits is durable when it returns. Records that their stream released long ago may come
/// again, and a record that was moved comes in its old and in its new place: visitors must bear it.
///
/// Zeros up to a file's end were never written: its records end before them. Other bytes that don't
/// verify at or after the highest synced mark are a torn tail: the log ends there.
/// Before the mark they are corruption: listed, and skipped up to the next record that verifies.
/// The caller decides whether a log with corruption may be used. An error means that files can't
/// be read at all, or were written by a later version of the format.
base::Result<Recovered> recover(Disk& disk, const RecordVisitor& visitor);

}  // namespace warren::storage
