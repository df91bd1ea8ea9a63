#include "storage/segment_store.h"

#include <algorithm>

namespace warren::storage {

using base::Bytes;
using base::Result;

Result<> SegmentStore::find_files() {
  TRY_ASSIGN(std::vector<FileId> files, disk_.list());
  for (FileId file : files) {
    if (!is_segment(file)) continue;
    found_.push_back(file);
    last_file_ = std::max(last_file_, file.value);
  }
  return {};
}

std::optional<SegmentIndex> SegmentStore::load_index(FileId file, StreamId stream,
                                                     SegmentExtent extent, bool& is_damaged) {
  last_file_ = std::max(last_file_, file.value);
  is_damaged = false;
  Bytes bytes;
  if (disk_.load(file, extent.index_at, extent.bytes - extent.index_at, bytes))
    if (auto index = read_segment_index(bytes, file, stream); index && !index->slots.empty())
      return index;
  is_damaged = true;
  if (!disk_.load(file, 0, extent.bytes, bytes)) return std::nullopt;
  auto index = scan_segment(bytes, file, stream);
  return index && !index->slots.empty() ? index : std::nullopt;
}

void SegmentStore::remove_others(const std::set<FileId>& wanted) {
  for (FileId file : found_)
    if (!wanted.contains(file)) remove(file);
  found_.clear();
}

SegmentIdentity SegmentStore::make_identity(StreamId stream) {
  return {FileId{++last_file_}, stream, options_.salt};
}

void SegmentStore::write(const SegmentIdentity& identity, Bytes bytes) {
  DiskToken token = add({SegmentEvent::Kind::written, identity.stream, identity.file});
  disk_.write(identity.file, 0, std::move(bytes), false, token);
}

void SegmentStore::sync(StreamId stream, FileId file) {
  disk_.sync(file, add({SegmentEvent::Kind::synced, stream, file}));
}

void SegmentStore::read(StreamId stream, FileId file, std::uint64_t offset, std::uint64_t bytes) {
  disk_.read_at(file, offset, bytes, add({SegmentEvent::Kind::read, stream, file, offset}));
}

void SegmentStore::remove(FileId file) {
  disk_.remove(file, DiskToken{++last_token_});
}

DiskToken SegmentStore::add(SegmentEvent event) {
  DiskToken token{++last_token_};
  waiting_.emplace(token, std::move(event));
  return token;
}

std::optional<SegmentEvent> SegmentStore::take(DiskToken token) {
  auto found = waiting_.extract(token);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

std::optional<SegmentEvent> SegmentStore::on_disk_done(DiskToken token, Result<> result) {
  auto event = take(token);
  if (event && !result) event->result = std::unexpected(std::move(result).error());
  return event;
}

std::optional<SegmentEvent> SegmentStore::on_disk_read(DiskToken token, Result<Bytes> result) {
  auto event = take(token);
  if (event) event->result = std::move(result);
  return event;
}

}  // namespace warren::storage
