#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "storage/segment_format.h"

namespace warren::storage {

/// All messages that a segment holds with keys from `first` to `last`.
struct KeyRange {
  SegmentKey first;
  SegmentKey last;
};

/// What must be remembered of a segment to find it again, and what has left it.
struct SegmentNote {
  FileId file;
  SegmentExtent extent;
  std::uint32_t count = 0;  ///< messages in it, for reports when it can't be read
  std::vector<KeyRange> settled;
};

/// A written segment as the node remembers it: which messages it holds, where, and which of them
/// are still wanted. Eight bytes and a bit for each message.
class Segment {
 public:
  Segment(FileId file, SegmentExtent extent, const SegmentIndex& index);

  FileId file() const { return file_; }
  SegmentKey first() const { return first_; }
  SegmentKey last() const { return key(count() - 1); }
  std::size_t count() const { return slots_.size(); }
  std::size_t live() const { return live_; }
  std::uint64_t bytes() const { return extent_.bytes; }
  std::uint64_t live_bytes() const { return live_bytes_; }
  std::uint32_t seed() const { return seed_; }
  bool is_synced() const { return is_synced_; }
  void set_synced() { is_synced_ = true; }

  SegmentKey key(std::size_t slot) const { return {first_.value + slots_[slot].delta}; }
  bool is_live(std::size_t slot) const { return (dead_[slot / 64] >> (slot % 64) & 1) == 0; }
  std::uint32_t offset(std::size_t slot) const {
    return slot < slots_.size() ? slots_[slot].offset : records_end_;
  }
  /// The first slot with a key not below that one; count() when there is none.
  std::size_t find(SegmentKey key) const;
  /// The message left. False when it is not here or had left before.
  bool settle(SegmentKey key);
  void settle(KeyRange keys);

  SegmentNote note() const;

 private:
  struct Slot {
    std::uint32_t delta;
    std::uint32_t offset;
  };
  void settle_slot(std::size_t slot);

  FileId file_;
  SegmentExtent extent_;
  SegmentKey first_;
  std::uint32_t seed_;
  std::uint32_t records_end_;
  bool is_synced_ = false;
  std::size_t live_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::size_t last_found_ = 0;  ///< where the last settled one was: the next is likely behind it
  std::vector<Slot> slots_;
  std::vector<std::uint64_t> dead_;
};

/// The segments of one stream, in the order of their keys; no two overlap.
class SegmentSet {
 public:
  bool empty() const { return segments_.empty(); }
  const std::deque<Segment>& segments() const { return segments_; }
  Segment* find(FileId file);
  /// The one that holds the key or, if none does, the next one; null behind the last.
  Segment* find_from(SegmentKey key);

  Segment& add(Segment segment);
  void remove(FileId file);
  /// The message left. True when nothing is wanted any more in its segment; false as well when it
  /// is not here.
  bool settle(SegmentKey key);
  /// Takes out those in which nothing is wanted any more.
  std::vector<FileId> take_dead();

 private:
  std::deque<Segment> segments_;
  std::size_t last_settled_ = 0;  ///< where the next one is likely to be
};

}  // namespace warren::storage
