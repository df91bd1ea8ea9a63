#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "storage/log_format.h"

/// The bytes of a segment: docs/formats/segment.md. A segment holds messages of one stream in the
/// order of their keys. It is written once, whole, and then only read.
namespace warren::storage {

/// A message's place in the order of its stream.
using SegmentKey = base::Id<struct SegmentKeyTag>;

inline constexpr std::uint32_t segment_version = 1;
inline constexpr std::size_t segment_header_bytes = 64;
inline constexpr std::size_t segment_record_bytes = 24;  ///< before each payload

/// Whose segment, and which life of the file.
struct SegmentIdentity {
  FileId file;
  StreamId stream;
  std::uint64_t salt = 0;

  /// The value from which all checksums in the file go on.
  std::uint32_t seed() const;
};

/// Where a message stands, and what is known of it without reading it.
struct SegmentSlot {
  SegmentKey key;
  std::uint32_t offset = 0;      ///< of its record
  std::uint32_t body_bytes = 0;  ///< the writer's own measure
  bool is_transient = false;     ///< need not survive a restart
  std::uint8_t mark = 0;         ///< the writer's own
};

/// What the index at a segment's end says.
struct SegmentIndex {
  std::uint32_t seed = 0;
  std::uint32_t records_end = 0;
  std::vector<SegmentSlot> slots;  ///< in order
};

/// What a writer must remember to find the index.
struct SegmentExtent {
  std::uint32_t bytes = 0;
  std::uint32_t index_at = 0;
};

/// Puts a segment together in memory.
class SegmentBuilder {
 public:
  explicit SegmentBuilder(SegmentIdentity identity);

  /// Keys must grow, and stay below 2^56.
  void add(SegmentKey key, base::ByteView payload, std::uint32_t body_bytes, bool is_transient,
           std::uint8_t mark = 0);
  bool empty() const { return index_.slots.empty(); }
  std::size_t bytes() const { return bytes_.size(); }
  const SegmentIndex& index() const { return index_; }
  const SegmentIdentity& identity() const { return identity_; }
  /// Ends it. Nothing can be added after.
  SegmentExtent finish();
  base::Bytes take_bytes() { return std::move(bytes_); }

 private:
  SegmentIdentity identity_;
  SegmentIndex index_;
  base::Bytes bytes_;
};

/// The index from the last `bytes.size()` bytes of a file that belongs to that stream; nothing
/// when it does not verify.
std::optional<SegmentIndex> read_segment_index(base::ByteView bytes, FileId file, StreamId stream);
/// Finds by their own checks the records of a segment whose index is damaged, all that are left.
std::optional<SegmentIndex> scan_segment(base::ByteView bytes, FileId file, StreamId stream);

/// The payload of the record at the front of `bytes`, if it verifies and has that key.
std::optional<base::ByteView> read_segment_record(base::ByteView bytes, SegmentKey key,
                                                  std::uint32_t seed);

}  // namespace warren::storage
