#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/id.h"
#include "storage/disk.h"

/// The bytes of a log file: docs/formats/log.md. Shared by the writer and by recovery.
namespace warren::storage {

/// Whose record it is. 1 is the node's own facts, 2 the Raft log, the others are queue replicas;
/// the log's user gives them out. 0 is the log itself.
using StreamId = base::Id<struct StreamTag>;

/// A byte position that grows over all files of a log and is never used twice.
struct LogPosition {
  std::uint64_t value = 0;

  constexpr auto operator<=>(const LogPosition&) const = default;
};

inline constexpr std::uint32_t log_version = 1;
inline constexpr std::size_t file_header_bytes = 128;
inline constexpr std::size_t record_header_bytes = 32;
inline constexpr std::size_t record_position_at = 16;  ///< in a record's header
inline constexpr std::size_t mark_bytes = record_header_bytes + 16;
/// The largest payload of one record.
inline constexpr std::size_t max_record_bytes = 256u << 20;

/// What the log knew when it wrote: the content of a mark, and part of each file header.
struct LogKnowledge {
  LogPosition synced;  ///< everything before it was durable before this was written
  LogPosition start;   ///< nothing before it is needed, and what replaced it is durable
};

/// The head of a file. `synced` in it is where the file before ended.
struct FileHeader {
  std::uint32_t version = log_version;
  FileId file;
  LogPosition first;  ///< position of the file's first byte, this header's
  LogKnowledge known;
  std::uint64_t salt = 0;
  bool is_recycled = false;  ///< bytes of a former life may follow those of this one

  /// The value from which all checksums in the file go on: it ties a record to this life of it.
  std::uint32_t seed() const;
};

/// Appends the header block: two equal copies, of which one may be damaged.
void write_file_header(base::Bytes& out, const FileHeader& header);
/// Nothing when neither copy verifies or both belong to another file number.
std::optional<FileHeader> read_file_header(base::ByteView file_bytes, FileId file);

/// Whether the life of that file has not begun: its bytes are those of another file's life.
bool is_former_life(base::ByteView file_bytes, FileId file);

struct RecordHeader {
  LogPosition position;
  StreamId stream;
  std::uint8_t kind = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t payload_check = 0;
};

/// Appends the header's 32 bytes.
void write_record_header(base::Bytes& out, const RecordHeader& header, std::uint32_t seed);
/// Puts in the checks of the record that begins at `start` and whose payload goes to the end.
void set_payload_check(base::Bytes& bytes, std::size_t start, std::uint32_t seed);
/// The header at the front of `bytes`, which are enough for one, when it verifies.
std::optional<RecordHeader> verify_record_header(base::ByteView bytes, std::uint32_t seed);
/// The header at the front of `bytes`, when it verifies and says that it is at `position`.
/// The position is looked at first: it alone turns nearly all wrong places down, which makes the
/// search for the next record cheap.
inline std::optional<RecordHeader> read_record_header(base::ByteView bytes, LogPosition position,
                                                      std::uint32_t seed) {
  if (bytes.size() < record_header_bytes ||
      base::load_network<std::uint64_t>(bytes.data() + record_position_at) != position.value)
    return std::nullopt;
  return verify_record_header(bytes, seed);
}

/// A mark is the log's own record at the front of each batch.
base::Bytes make_mark(LogPosition position, LogKnowledge known, std::uint32_t seed);
std::optional<LogKnowledge> read_mark(base::ByteView payload);

}  // namespace warren::storage
