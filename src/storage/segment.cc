#include "storage/segment.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace warren::storage {

Segment::Segment(FileId file, SegmentExtent extent, const SegmentIndex& index)
    : file_(file),
      extent_(extent),
      first_(index.slots.front().key),
      seed_(index.seed),
      records_end_(index.records_end),
      live_(index.slots.size()),
      live_bytes_(index.records_end - index.slots.front().offset) {
  slots_.reserve(index.slots.size());
  for (const SegmentSlot& slot : index.slots)
    slots_.push_back({static_cast<std::uint32_t>(slot.key.value - first_.value), slot.offset});
  dead_.resize((slots_.size() + 63) / 64);
}

std::size_t Segment::find(SegmentKey wanted) const {
  if (wanted <= first_) return 0;
  auto delta = [](const Slot& slot) -> std::uint64_t { return slot.delta; };
  auto found = std::ranges::lower_bound(slots_, wanted.value - first_.value, {}, delta);
  return static_cast<std::size_t>(found - slots_.begin());
}

bool Segment::settle(SegmentKey wanted) {
  std::size_t slot = last_found_ + 1;
  if (slot >= count() || key(slot) != wanted) slot = find(wanted);
  if (slot >= count() || key(slot) != wanted || !is_live(slot)) return false;
  last_found_ = slot;
  settle_slot(slot);
  return true;
}

void Segment::settle(KeyRange keys) {
  for (std::size_t slot = find(keys.first); slot < count() && key(slot) <= keys.last; ++slot)
    if (is_live(slot)) settle_slot(slot);
}

void Segment::settle_slot(std::size_t slot) {
  dead_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  --live_;
  live_bytes_ -= offset(slot + 1) - offset(slot);
}

SegmentNote Segment::note() const {
  SegmentNote note{file_, extent_, static_cast<std::uint32_t>(count()), {}};
  bool is_open = false;
  for (std::size_t slot = 0; slot < count(); ++slot) {
    bool is_dead = !is_live(slot);
    if (is_dead && !is_open) note.settled.push_back({key(slot), key(slot)});
    if (is_dead) note.settled.back().last = key(slot);
    is_open = is_dead;
  }
  return note;
}

Segment* SegmentSet::find(FileId file) {
  auto found = std::ranges::find(segments_, file, &Segment::file);
  return found == segments_.end() ? nullptr : &*found;
}

Segment* SegmentSet::find_from(SegmentKey key) {
  auto found = std::ranges::lower_bound(segments_, key, {}, &Segment::last);
  return found == segments_.end() ? nullptr : &*found;
}

Segment& SegmentSet::add(Segment segment) {
  auto place = std::ranges::upper_bound(segments_, segment.first(), {}, &Segment::first);
  return *segments_.insert(place, std::move(segment));
}

void SegmentSet::remove(FileId file) {
  std::erase_if(segments_, [&](const Segment& segment) { return segment.file() == file; });
}

bool SegmentSet::settle(SegmentKey key) {
  if (segments_.empty() || key > segments_.back().last() || key < segments_.front().first())
    return false;
  bool is_near = last_settled_ < segments_.size() && key >= segments_[last_settled_].first() &&
                 key <= segments_[last_settled_].last();
  if (!is_near) {
    auto found = std::ranges::lower_bound(segments_, key, {}, &Segment::last);
    last_settled_ = static_cast<std::size_t>(found - segments_.begin());
  }
  Segment& segment = segments_[last_settled_];
  return segment.settle(key) && segment.live() == 0;
}

std::vector<FileId> SegmentSet::take_dead() {
  std::vector<FileId> dead;
  std::erase_if(segments_, [&](const Segment& segment) {
    if (segment.live() > 0) return false;
    dead.push_back(segment.file());
    return true;
  });
  return dead;
}

}  // namespace warren::storage
