#include "cluster/replica_pages.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"

namespace warren::cluster {
namespace {

using storage::FileId;
using storage::Segment;
using storage::SegmentEvent;
using storage::SegmentKey;

SegmentKey key_of(MessageIndex index) { return {index.value}; }
MessageIndex index_of(SegmentKey key) { return {key.value}; }
std::uint64_t number_of(FileId file) { return file.value - storage::segment_files; }

}  // namespace

ReplicaPages::ReplicaPages(storage::StreamId stream, bool is_durable, storage::SegmentStore& store,
                           broker::Queue& queue)
    : stream_(stream), is_durable_(is_durable), store_(store), queue_(queue) {}

MessageIndex ReplicaPages::synced() const {
  const auto& segments = segments_.segments();
  auto fresh = first_unsynced();
  if (fresh == segments.end()) return stored_;
  return fresh == segments.begin() ? MessageIndex{} : index_of(std::prev(fresh)->last());
}

/// Segments become durable in their order, so those that are not are the last ones.
std::deque<Segment>::const_iterator ReplicaPages::first_unsynced() const {
  const auto& segments = segments_.segments();
  auto fresh = segments.end();
  while (fresh != segments.begin() && !std::prev(fresh)->is_synced()) --fresh;
  return fresh;
}

void ReplicaPages::store(MessageIndex up_to) {
  if (write_ || refuses_writes_ || up_to <= stored_) return;
  storage::SegmentBuilder builder(store_.make_identity(stream_));
  MessageIndex first, last;
  bool is_full = false;
  queue_.for_each_message(stored_.next(), [&](MessageIndex index, const broker::Message& message) {
    if (!first) first = index;
    is_full = builder.bytes() >= store_.options().segment_bytes ||
              index.value - first.value > UINT32_MAX;
    if (index > up_to || is_full) return false;
    ASSERT(message);
    builder.add(key_of(index), message.encoded(),
                static_cast<std::uint32_t>(message.body().size()), !message.is_persistent(),
                message.priority());
    last = index;
    return true;
  });
  if (builder.empty()) {
    stored_ = up_to;
    return;
  }
  storage::SegmentExtent extent = builder.finish();
  segments_.add(Segment(builder.identity().file, extent, builder.index()));
  write_ = Write{builder.identity().file, is_full ? last : up_to, extent.bytes};
  store_.write(builder.identity(), builder.take_bytes());
}

void ReplicaPages::on_written(const SegmentEvent& event) {
  bool is_compaction = compaction_ && compaction_->builder.identity().file == event.file;
  if (is_compaction) {
    if (!event.result) return refuse(event), finish_compaction(false);
    if (is_durable_) return store_.sync(stream_, event.file);
    return finish_compaction(true);
  }
  if (!write_ || write_->file != event.file) return;
  Write write = *std::exchange(write_, std::nullopt);
  Segment* segment = segments_.find(event.file);
  if (!event.result) {
    segments_.remove(event.file);
    return refuse(event);
  }
  accept();
  MessageIndex first = stored_.next();
  stored_ = write.last;
  if (!segment) return;  // all of it was settled meanwhile
  MessageIndex front = queue_.first_ready();
  bool is_about_to_go = front && front <= write.last && queue_.counts().consumers > 0;
  if (is_about_to_go) {
    queue_.mark_stored(first, write.last);
    windows_.push_back({first, write.last});
  } else {
    queue_.page_out(first, write.last);
  }
}

void ReplicaPages::sync() {
  if (syncing_) return;
  auto fresh = first_unsynced();
  if (fresh == segments_.segments().end()) return;
  if (write_ && write_->file == fresh->file()) return;
  syncing_ = fresh->file();
  store_.sync(stream_, syncing_);
}

void ReplicaPages::evict(bool keeps_next) {
  MessageIndex front = queue_.first_ready();
  std::deque<Window> kept;
  for (const Window& window : windows_) {
    if (keeps_next && front && window.last >= front && kept.size() < 2)
      kept.push_back(window);
    else
      queue_.evict(window.first, window.last);
  }
  windows_ = std::move(kept);
}

std::vector<FileId> ReplicaPages::take_dead() {
  std::vector<FileId> dead = segments_.take_dead();
  // One that is still being written has its number on the way to the disk; its removal comes after.
  dead.insert(dead.end(), replaced_.begin(), replaced_.end());
  replaced_.clear();
  return dead;
}

std::vector<FileId> ReplicaPages::take_all() {
  std::vector<FileId> all = std::move(replaced_);
  for (const Segment& segment : segments_.segments()) all.push_back(segment.file());
  if (compaction_ && compaction_->extent.bytes > 0)
    all.push_back(compaction_->builder.identity().file);
  return all;
}

std::vector<storage::SegmentNote> ReplicaPages::notes() const {
  std::vector<storage::SegmentNote> notes;
  for (const Segment& segment : segments_.segments())
    if (segment.is_synced() && segment.live() > 0) notes.push_back(segment.note());
  return notes;
}

bool ReplicaPages::knows(MessageIndex index) {
  Segment* segment = segments_.find_from(key_of(index));
  if (!segment) return false;
  std::size_t slot = segment->find(key_of(index));
  return slot < segment->count() && segment->key(slot) == key_of(index);
}

bool ReplicaPages::holds(MessageIndex index) {
  Segment* segment = segments_.find_from(key_of(index));
  return segment && segment->is_synced() && knows(index);
}

// Reading.

/// Where a reading of that slot may be noted; null while the reader must wait, or waits for it.
std::optional<ReplicaPages::Reading>* ReplicaPages::find_reading(Reader reader, FileId file,
                                                                 std::size_t slot) {
  auto first = std::begin(readings_) + static_cast<std::ptrdiff_t>(reader);
  auto last = reader == Reader::dead_letters ? std::end(readings_) : std::next(first);
  for (auto place = first; place != last; ++place)
    if (*place && (*place)->file == file && (*place)->first_slot <= slot &&
        slot < (*place)->end_slot)
      return nullptr;
  auto free = std::find_if(first, last, [](const auto& place) { return !place; });
  return free == last ? nullptr : &*free;
}

void ReplicaPages::fetch(MessageIndex from, Reader reader, std::size_t most_bytes) {
  if (refuses_reads_) return;
  Segment* segment = segments_.find_from(key_of(from));
  std::size_t slot = 0;
  while (segment) {
    slot = segment->find(key_of(from));
    while (slot < segment->count() && !segment->is_live(slot)) ++slot;
    if (slot < segment->count()) break;
    segment = segments_.find_from(segment->last().next());
  }
  if (!segment || (write_ && write_->file == segment->file())) return;
  std::optional<Reading>* reading = find_reading(reader, segment->file(), slot);
  if (!reading) return;
  std::uint32_t begin = segment->offset(slot);
  std::size_t end = slot + 1;
  most_bytes = std::min(most_bytes, store_.options().read_bytes);
  while (end < segment->count() && segment->offset(end + 1) - begin <= most_bytes)
    ++end;
  while (!segment->is_live(end - 1)) --end;
  *reading = Reading{reader, segment->file(), slot, end};
  store_.read(stream_, segment->file(), begin, segment->offset(end) - begin);
}

void ReplicaPages::fetch_or_lose(MessageIndex index, Reader reader, std::size_t most_bytes) {
  // It is in no segment when what held it was damaged.
  if (knows(index))
    fetch(index, reader, most_bytes);
  else if (std::ranges::find(lost_, index) == lost_.end())
    lose(index);
}

void ReplicaPages::read_ahead(bool has_consumers) {
  const std::optional<Reading>& reading = readings_[static_cast<std::size_t>(Reader::deliveries)];
  if (reading || segments_.empty()) return;
  if (MessageIndex missing = queue_.missing()) {
    fetch_or_lose(missing, Reader::deliveries);
  } else if (has_consumers && ahead_next_ && ahead_next_ <= stored_ &&
             queue_.first_ready() >= ahead_trigger_) {
    fetch(ahead_next_, Reader::deliveries);
    if (!reading) ahead_next_ = MessageIndex{};
  }
}

void ReplicaPages::on_read(const SegmentEvent& event) {
  if (compaction_ && compaction_->next < compaction_->sources.size() && event.offset == 0 &&
      compaction_->sources[compaction_->next] == event.file)
    return on_compaction_read(event);
  Segment* segment = segments_.find(event.file);
  for (std::optional<Reading>& place : readings_) {
    if (!place || place->file != event.file) continue;
    if (segment && segment->offset(place->first_slot) != event.offset) continue;
    Reading reading = *std::exchange(place, std::nullopt);
    // It may have been replaced meanwhile: whoever wants its messages asks again.
    if (!segment) return;
    if (!event.result) return refuse(event);
    accept();
    return page_in(reading, *event.result, *segment);
  }
}

void ReplicaPages::page_in(const Reading& reading, base::ByteView bytes, const Segment& segment) {
  std::vector<broker::StoredBody> bodies;
  std::uint32_t begin = segment.offset(reading.first_slot);
  for (std::size_t slot = reading.first_slot; slot < reading.end_slot; ++slot) {
    if (!segment.is_live(slot)) continue;
    MessageIndex index = index_of(segment.key(slot));
    std::size_t at = segment.offset(slot) - begin;
    auto payload = storage::read_segment_record(bytes.substr(std::min(at, bytes.size())),
                                                segment.key(slot), segment.seed());
    auto message = payload ? broker::Message::decode(*payload)
                           : base::fail(base::ErrorCode::corrupt, "its checksum does not match");
    if (message)
      bodies.push_back({index, std::move(*message)});
    else
      lose(index);
  }
  MessageIndex first = index_of(segment.key(reading.first_slot));
  MessageIndex last = index_of(segment.key(reading.end_slot - 1));
  windows_.push_back({first, last});
  if (reading.reader == Reader::deliveries) {
    ahead_trigger_ = first;
    ahead_next_ = last.next();
  }
  queue_.page_in(bodies);
  // What is dying may be anywhere.
  if (queue_.counts().dying > 0) return;
  while (!windows_.empty() && windows_.front().last < queue_.lowest_ready()) {
    // Channels may hold some of it.
    queue_.evict(windows_.front().first, windows_.front().last);
    windows_.pop_front();
  }
}

broker::Message ReplicaPages::load(MessageIndex index) {
  if (!knows(index)) return {};
  const Segment* segment = segments_.find_from(key_of(index));
  std::size_t slot = segment->find(key_of(index));
  std::uint32_t begin = segment->offset(slot);
  base::Bytes bytes;
  if (!store_.load(segment->file(), begin, segment->offset(slot + 1) - begin, bytes)) return {};
  auto payload = storage::read_segment_record(bytes, key_of(index), segment->seed());
  if (!payload) return {};
  auto message = broker::Message::decode(*payload);
  return message ? *message : broker::Message();
}

void ReplicaPages::lose(MessageIndex index) {
  base::log_error("message {} of queue stream {} is damaged on disk and lost on this node",
                  index.value, stream_.value);
  lost_.push_back(index);
}

void ReplicaPages::refuse(const SegmentEvent& event) {
  if (!std::exchange(has_complained_, true))
    base::log_error("segment {} of queue stream {}: {}; tried again until it works",
                    number_of(event.file), stream_.value, event.result.error().text);
  if (event.kind == SegmentEvent::Kind::read) {
    refuses_reads_ = true;
  } else {
    refuses_writes_ = true;
    store_.remove(event.file);
  }
}

void ReplicaPages::accept() {
  if (std::exchange(has_complained_, false))
    base::log_info("the disk takes segments of queue stream {} again", stream_.value);
}

void ReplicaPages::on_event(SegmentEvent event) {
  switch (event.kind) {
    case SegmentEvent::Kind::written: return on_written(event);
    case SegmentEvent::Kind::read: return on_read(event);
    case SegmentEvent::Kind::synced: {
      ASSERT(event.result);  // a failed sync ends the node
      if (compaction_ && compaction_->builder.identity().file == event.file)
        return finish_compaction(true);
      if (syncing_ == event.file) syncing_ = FileId{};
      if (Segment* segment = segments_.find(event.file)) {
        segment->set_synced();
        ++unlisted_;
      }
      return;
    }
  }
}

// Compaction.

bool ReplicaPages::compact() {
  if (compaction_ || is_refused()) return false;
  std::vector<FileId> sources;
  std::uint64_t live_bytes = 0, bytes = 0;
  auto is_worth_it = [&] { return !sources.empty() && live_bytes < bytes / 2; };
  for (const Segment& segment : segments_.segments()) {
    bool is_usable = (segment.is_synced() || !is_durable_) && segment.live() > 0 &&
                     !(write_ && write_->file == segment.file()) &&
                     std::ranges::find(uncompactable_, segment.file()) == uncompactable_.end();
    bool is_sparse = segment.live_bytes() < segment.bytes() / 2;
    bool fits = live_bytes + segment.live_bytes() <= store_.options().segment_bytes;
    bool fits_keys = sources.empty() || segment.last().value -
                     segments_.find(sources.front())->first().value <= UINT32_MAX;
    if (is_usable && is_sparse && fits && fits_keys && sources.size() < 16) {
      sources.push_back(segment.file());
      live_bytes += segment.live_bytes();
      bytes += segment.bytes();
    } else if (is_worth_it()) {
      break;
    } else {
      sources.clear();
      live_bytes = bytes = 0;
    }
  }
  if (!is_worth_it()) return false;
  compaction_ = Compaction{std::move(sources), 0,
                           storage::SegmentBuilder(store_.make_identity(stream_)), {}};
  compact_next();
  return true;
}

void ReplicaPages::compact_next() {
  while (compaction_->next < compaction_->sources.size()) {
    FileId file = compaction_->sources[compaction_->next];
    if (Segment* segment = segments_.find(file); segment && segment->live() > 0)
      return store_.read(stream_, file, 0, segment->offset(segment->count()));
    ++compaction_->next;
  }
  if (compaction_->builder.empty()) return finish_compaction(true);
  compaction_->extent = compaction_->builder.finish();
  store_.write(compaction_->builder.identity(), compaction_->builder.take_bytes());
}

void ReplicaPages::on_compaction_read(const SegmentEvent& event) {
  Segment* segment = segments_.find(event.file);
  ++compaction_->next;
  if (!segment) return compact_next();
  base::ByteView bytes = event.result ? base::ByteView(*event.result) : base::ByteView();
  for (std::size_t slot = 0; slot < segment->count(); ++slot) {
    if (!segment->is_live(slot)) continue;
    auto record = bytes.substr(std::min<std::size_t>(segment->offset(slot), bytes.size()));
    auto payload = storage::read_segment_record(record, segment->key(slot), segment->seed());
    auto message = payload ? broker::Message::decode(*payload)
                           : base::fail(base::ErrorCode::corrupt, "damaged");
    if (!message) {
      // Whoever wants the damaged one finds out; the others can be read where they are.
      uncompactable_.push_back(event.file);
      return finish_compaction(false);
    }
    compaction_->builder.add(segment->key(slot), *payload,
                             static_cast<std::uint32_t>(message->body().size()),
                             !message->is_persistent(), message->priority());
  }
  compact_next();
}

void ReplicaPages::finish_compaction(bool is_good) {
  Compaction done = *std::exchange(compaction_, std::nullopt);
  FileId file = done.builder.identity().file;
  if (!is_good) {
    if (done.extent.bytes > 0) store_.remove(file);
    return;
  }
  std::optional<Segment> merged;
  if (!done.builder.empty()) {
    merged.emplace(file, done.extent, done.builder.index());
    if (is_durable_) merged->set_synced();
    for (std::size_t slot = 0; slot < merged->count(); ++slot) {
      SegmentKey key = merged->key(slot);
      Segment* source = segments_.find_from(key);
      std::size_t at = source ? source->find(key) : 0;
      bool is_here = source && at < source->count() && source->key(at) == key;
      if (!is_here || !source->is_live(at)) merged->settle(key);
    }
  }
  for (FileId source : done.sources) {
    if (!segments_.find(source)) continue;
    segments_.remove(source);
    replaced_.push_back(source);
  }
  if (merged) segments_.add(std::move(*merged));
}

// Recovery.

void ReplicaPages::recover(const std::vector<storage::SegmentNote>& notes,
                           std::vector<MessageIndex> settled,
                           const std::function<void(const Live&)>& visit,
                           std::vector<std::string>& damage) {
  std::ranges::sort(settled);
  for (const storage::SegmentNote& note : notes) {
    bool is_damaged = false;
    auto index = store_.load_index(note.file, stream_, note.extent, is_damaged);
    std::size_t found = index ? index->slots.size() : 0;
    if (is_damaged)
      damage.push_back(fmt::format("segment {} is damaged: {} of {} messages were found in it",
                                   number_of(note.file), found, note.count));
    if (!index) continue;
    Segment segment(note.file, note.extent, *index);
    segment.set_synced();
    for (storage::KeyRange range : note.settled) segment.settle(range);
    auto gone = std::ranges::lower_bound(settled, index_of(segment.first()));
    for (; gone != settled.end() && *gone <= index_of(segment.last()); ++gone)
      segment.settle(key_of(*gone));
    for (const storage::SegmentSlot& slot : index->slots)
      if (slot.is_transient) segment.settle(slot.key);
    stored_ = std::max(stored_, index_of(segment.last()));
    const Segment& added = segments_.add(std::move(segment));
    for (std::size_t slot = 0; slot < added.count(); ++slot)
      if (added.is_live(slot))
        visit({index_of(added.key(slot)), index->slots[slot].body_bytes, index->slots[slot].mark});
  }
}

}  // namespace warren::cluster
