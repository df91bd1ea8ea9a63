#include "storage/log.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace warren::storage {

using base::Bytes;
using base::ByteView;
using base::Result;

namespace {

/// The log's own stream pins what recovery found damaged.
constexpr StreamId damage_stream{};

}  // namespace

Log::Log(Disk& disk, Options options)
    : disk_(disk),
      options_(options),
      move_credit_bytes_(static_cast<std::int64_t>(options.file_bytes)) {
  ASSERT(options.max_live_files >= 2);
}

Log::Log(Disk& disk, Options options, const Recovered& recovered) : Log(disk, options) {
  go_on(recovered);
}

void Log::go_on(const Recovered& recovered) {
  ASSERT(files_.empty() && batches_.empty());
  ASSERT(recovered.next_position >= recovered.end);
  next_file_ = recovered.next_file;
  previous_end_ = recovered.end;
  end_ = last_record_end_ = handed_over_ = sync_requested_ = written_ = synced_ =
      recovered.next_position;
  start_ = durable_start_ = recovered.start;
  stated_ = {.synced = end_, .start = start_};
  for (const RecoveredFile& file : recovered.files)
    files_.push_back({.id = file.file, .first = file.first, .end = file.end});
  for (const auto& [stream, first] : recovered.first_records) {
    needs_.emplace(stream, Need{.from = first, .last = recovered.last_records.at(stream)});
    ++file_at(first).pins;
  }
  if (recovered.corrupt_places > 0 && !files_.empty()) {
    LogPosition damage = std::max(recovered.corruption.front().position, files_.front().first);
    needs_.emplace(damage_stream, Need{.from = damage, .last = damage});
    ++file_at(damage).pins;
  }
  for (FileId file : recovered.dead_files) drop_file(file);
  find_unneeded_files();
  set_move_target();
}

LogPosition Log::append(StreamId stream, std::uint8_t kind, ByteView payload) {
  return append(stream, kind, std::span<const ByteView>(&payload, 1));
}

LogPosition Log::append(StreamId stream, std::uint8_t kind, std::span<const ByteView> parts) {
  std::size_t payload_bytes = 0;
  for (ByteView part : parts) payload_bytes += part.size();
  return append_with(stream, kind, payload_bytes, [&](Bytes& out) {
    for (ByteView part : parts) out.append(part);
  });
}

Bytes& Log::begin_record(StreamId stream, std::uint8_t kind, std::size_t payload_bytes) {
  ASSERT(stream);
  ASSERT(payload_bytes <= max_record_bytes);
  std::size_t bytes = record_header_bytes + payload_bytes;
  make_room(bytes);
  Batch& batch = batches_.back();
  std::size_t wanted = batch.bytes.size() + bytes;
  if (wanted > batch.bytes.capacity())
    batch.bytes.reserve(std::max(wanted, 2 * batch.bytes.size()));
  RecordHeader header{.position = end_,
                      .stream = stream,
                      .kind = kind,
                      .payload_bytes = static_cast<std::uint32_t>(payload_bytes)};
  write_record_header(batch.bytes, header, batch.seed);
  return batch.bytes;
}

LogPosition Log::end_record(StreamId stream, std::size_t payload_bytes) {
  Batch& batch = batches_.back();
  std::size_t bytes = record_header_bytes + payload_bytes;
  std::size_t start = end_.value - batch.first.value;
  ASSERT(batch.bytes.size() == start + bytes);
  set_payload_check(batch.bytes, start, batch.seed);
  LogPosition position = end_;
  grow(bytes);
  last_record_end_ = end_;
  note_need(stream, position, bytes);
  return position;
}

void Log::make_room(std::size_t record_bytes) {
  if (has_open_file_) {
    const File& file = files_.back();
    std::size_t bytes = record_bytes + (batches_.empty() ? mark_bytes : 0);
    bool has_records = file.end.value - file.first.value > file_header_bytes + mark_bytes;
    if (!has_records || file.end.value - file.first.value + bytes <= options_.file_bytes) {
      if (batches_.empty()) open_batch();
      return;
    }
  }
  open_file();
}

void Log::open_file() {
  if (has_open_file_) previous_end_ = end_;
  FileHeader header{.file = next_file_,
                    .first = end_,
                    .known = {.synced = previous_end_, .start = start_},
                    .salt = options_.salt,
                    .is_recycled = static_cast<bool>(spare_)};
  next_file_ = next_file_.next();
  has_open_file_ = true;
  files_.push_back({.id = header.file, .first = end_, .end = end_, .seed = header.seed()});
  grow(file_header_bytes);
  open_batch();
  write_file_header(batches_.back().header, header);
  batches_.back().header_start = start_;
  batches_.back().recycled = std::exchange(spare_, FileId{});
  set_move_target();
}

void Log::open_batch() {
  const File& file = files_.back();
  batches_.push_back({.file = file.id,
                      .offset = end_.value - file.first.value,
                      .first = end_,
                      .seed = file.seed,
                      .bytes = Bytes(mark_bytes, '\0'),
                      .header = {},
                      .recycled = {},
                      .header_start = {}});
  grow(mark_bytes);
}

void Log::grow(std::uint64_t bytes) {
  end_.value += bytes;
  files_.back().end = end_;
  unflushed_bytes_ += bytes;
}

void Log::note_need(StreamId stream, LogPosition position, std::size_t bytes) {
  auto [need, is_new] = needs_.try_emplace(stream, Need{.from = position, .last = position});
  if (is_new) ++files_.back().pins;
  need->second.last = position;
  // Each fresh byte allows one to be moved. However much of the log is live, moving at most doubles
  // what is written, and the log is at most about twice as long as what is live in it.
  auto signed_bytes = static_cast<std::int64_t>(bytes);
  if (need->second.from < move_target_)
    move_credit_bytes_ -= signed_bytes;
  else
    move_credit_bytes_ =
        std::min(move_credit_bytes_ + signed_bytes, static_cast<std::int64_t>(options_.file_bytes));
}

void Log::flush(bool sync) {
  if (failed_) return;
  flush_wanted_ = true;
  sync_wanted_ |= sync;
  if (sync && batches_.empty() && has_start_to_state()) open_batch();
  if (syncs_in_flight_ == 0) hand_over();
}

void Log::mark_synced(bool sync) {
  if (failed_ || !has_open_file_ || !batches_.empty()) return;
  bool has_news = synced_ > stated_.synced && last_record_end_ > stated_.synced;
  if (!has_news && !has_start_to_state()) return;
  open_batch();
  flush(sync);
}

bool Log::has_start_to_state() const {
  return has_open_file_ && start_ > stated_.start;
}

void Log::hand_over() {
  bool sync = std::exchange(sync_wanted_, false);
  flush_wanted_ = false;
  while (!batches_.empty()) {
    Batch batch = std::move(batches_.front());
    batches_.pop_front();
    if (!batch.header.empty()) begin_file(batch);
    write_batch(std::move(batch), sync && batches_.empty());
  }
  if (sync && handed_over_ > sync_requested_) {
    disk_.sync(written_file_, add_request({.written = handed_over_, .is_sync = true}));
  }
}

void Log::begin_file(Batch& batch) {
  // A file's header vouches for everything before it, so that must be durable first; and a file
  // without a good header must not hold records.
  if (handed_over_ > sync_requested_)
    disk_.sync(written_file_, add_request({.written = handed_over_, .is_sync = true}));
  stated_.start = std::max(stated_.start, batch.header_start);
  std::uint64_t bytes = batch.header.size();
  if (batch.recycled)
    disk_.rename(batch.recycled, batch.file, add_request({.written = handed_over_}));
  DiskToken token = add_request({.written = batch.first, .is_sync = true, .bytes = bytes});
  disk_.write(batch.file, 0, std::move(batch.header), true, token);
  written_file_ = batch.file;
}

void Log::write_batch(Batch batch, bool sync) {
  stated_ = {.synced = synced_, .start = start_};
  Bytes mark = make_mark(batch.first, stated_, batch.seed);
  ASSERT(mark.size() == mark_bytes);
  batch.bytes.replace(0, mark_bytes, mark);
  std::uint64_t bytes = batch.bytes.size();
  LogPosition batch_end{batch.first.value + bytes};
  DiskToken token = add_request({.written = batch_end, .is_sync = sync, .bytes = bytes});
  disk_.write(batch.file, batch.offset, std::move(batch.bytes), sync, token);
  written_file_ = batch.file;
}

DiskToken Log::add_request(Request request) {
  request.start = stated_.start;
  handed_over_ = std::max(handed_over_, request.written);
  if (request.is_sync) {
    sync_requested_ = handed_over_;
    ++syncs_in_flight_;
  }
  in_flight_.push_back(request);
  return DiskToken{first_token_.value + in_flight_.size() - 1};
}

void Log::on_disk_done(DiskToken token, Result<> result) {
  if (failed_) return;
  if (!result) return fail_for_good(std::move(result).error());
  if (in_flight_.empty() || token != first_token_)
    return fail_for_good({base::ErrorCode::internal, "the disk answered out of order"});
  Request request = in_flight_.front();
  in_flight_.pop_front();
  first_token_ = first_token_.next();

  unflushed_bytes_ -= request.bytes;
  written_ = std::max(written_, request.written);
  if (request.is_sync) {
    // All files before the synced one were durable when it was begun.
    --syncs_in_flight_;
    synced_ = written_;
    durable_start_ = request.start;
    find_unneeded_files();
    remove_files();
  }
  if (syncs_in_flight_ == 0 && flush_wanted_) hand_over();
}

void Log::fail_for_good(base::Error error) {
  failed_ = std::move(error);
  batches_.clear();
  in_flight_.clear();
  unflushed_bytes_ = 0;
}

void Log::release(StreamId stream, LogPosition needed_from) {
  auto found = needs_.find(stream);
  if (found == needs_.end() || needed_from <= found->second.from) return;
  unpin(found->second.from);
  if (needed_from > found->second.last) {
    needs_.erase(found);
  } else {
    found->second.from = needed_from;
    ++file_at(needed_from).pins;
  }
  skip_moved();
  find_unneeded_files();
}

void Log::forget(StreamId stream) {
  auto found = needs_.find(stream);
  if (found != needs_.end()) release(stream, LogPosition{found->second.last.value + 1});
}

void Log::accept_damage() {
  forget(damage_stream);
}

void Log::unpin(LogPosition position) {
  File& file = file_at(position);
  ASSERT(file.pins > 0);
  --file.pins;
}

Log::File& Log::file_at(LogPosition position) {
  auto after = std::ranges::upper_bound(files_, position, {}, &File::first);
  ASSERT(after != files_.begin());
  return *std::prev(after);
}

void Log::find_unneeded_files() {
  bool has_found = false;
  for (std::size_t i = 0; i + 1 < files_.size() && files_[i].pins == 0; ++i) {
    File& file = files_[i];
    if (!file.unneeded_after) {
      file.unneeded_after = end_;
      has_found = true;
    }
    // The owners' copies of what they still need from this file were appended before its barrier.
    if (synced_ >= *file.unneeded_after) start_ = std::max(start_, files_[i + 1].first);
  }
  if (has_found) set_move_target();
}

void Log::remove_files() {
  while (files_.size() > 1 && files_[1].first <= durable_start_) {
    drop_file(files_.front().id);
    files_.pop_front();
  }
}

/// One file is kept for the next to begin over: blocks that are there already halve what a sync
/// costs. What stands in it belongs to another life and verifies in none.
void Log::drop_file(FileId file) {
  if (!spare_ && !is_frugal_)
    spare_ = file;
  else
    disk_.remove(file, add_request({.written = written_}));
}

void Log::set_frugal(bool is_frugal) {
  if (is_frugal == is_frugal_ || failed_) return;
  is_frugal_ = is_frugal;
  if (is_frugal_ && spare_)
    disk_.remove(std::exchange(spare_, FileId{}), add_request({.written = written_}));
  set_move_target();
}

void Log::set_move_target() {
  auto live = std::ranges::find_if(files_, [](const File& file) { return !file.unneeded_after; });
  std::size_t live_files = static_cast<std::size_t>(files_.end() - live);
  LogPosition target;
  const std::size_t max_files = is_frugal_ ? 1 : options_.max_live_files;
  if (live_files > max_files && move_credit_bytes_ > 0) target = live[1].first;
  if (target == move_target_) return;
  move_target_ = target;
  movers_.clear();
  next_mover_ = 0;
  if (target == LogPosition{}) return;
  for (const auto& [stream, need] : needs_)
    if (stream != damage_stream && need.from < target) movers_.push_back(stream);
  std::ranges::sort(movers_);
}

bool Log::is_to_move(StreamId stream) const {
  auto found = needs_.find(stream);
  return found != needs_.end() && found->second.from < move_target_;
}

void Log::skip_moved() {
  while (next_mover_ < movers_.size() && !is_to_move(movers_[next_mover_])) ++next_mover_;
}

std::vector<StreamId> Log::streams_to_move(std::size_t at_most) const {
  std::vector<StreamId> streams;
  for (std::size_t i = next_mover_; i < movers_.size() && streams.size() < at_most; ++i)
    if (is_to_move(movers_[i])) streams.push_back(movers_[i]);
  return streams;
}

std::vector<StreamId> Log::streams() const {
  std::vector<StreamId> streams;
  for (const auto& [stream, need] : needs_)
    if (stream != damage_stream) streams.push_back(stream);
  std::ranges::sort(streams);
  return streams;
}

std::uint64_t Log::disk_bytes() const {
  std::uint64_t bytes = 0;
  for (const File& file : files_) bytes += file.end.value - file.first.value;
  return bytes;
}

}  // namespace warren::storage
