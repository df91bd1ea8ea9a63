#include "storage/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/crc32c.h"

namespace warren::storage {
namespace {

using base::Bytes;
using base::ByteView;
using base::Result;

/// What stands at one place of a file: a record that verifies, or a stretch that doesn't.
struct Piece {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool has_header = false;
  StreamId stream = {};  ///< 0 as well when not even the record's header verifies
  std::optional<RecordHeader> record = {};
  ByteView payload = {};
};

/// Cuts a file behind its header into pieces without a gap, up to where nothing was written.
class FileReader {
 public:
  /// A stretch that doesn't verify is searched for the record behind it, but not one that begins at
  /// or after `searched`: that lasts to the file's end.
  FileReader(ByteView bytes, const FileHeader& header, std::optional<LogPosition> searched = {})
      : bytes_(bytes),
        first_(header.first),
        seed_(header.seed()),
        searched_(searched),
        offset_(file_header_bytes) {}

  std::optional<Piece> next() {
    if (offset_ >= bytes_.size()) return std::nullopt;
    std::optional<Piece> piece = read_record();
    if (!piece && is_unwritten()) return std::nullopt;
    if (!piece) piece = read_damage();
    offset_ += piece->bytes;
    return piece;
  }

 private:
  std::optional<RecordHeader> header_at(std::uint64_t offset) const {
    return read_record_header(bytes_.substr(offset), {first_.value + offset}, seed_);
  }

  std::optional<Piece> read_record() const {
    auto header = header_at(offset_);
    if (!header) return std::nullopt;
    Piece piece{.offset = offset_, .has_header = true, .stream = header->stream};
    piece.bytes = std::min(bytes_.size() - offset_,
                           std::uint64_t{record_header_bytes} + header->payload_bytes);
    piece.payload = bytes_.substr(offset_, piece.bytes).substr(record_header_bytes);
    if (piece.payload.size() == header->payload_bytes &&
        base::crc32c(piece.payload, seed_) == header->payload_check)
      piece.record = header;
    return piece;
  }

  /// Files grow ahead of what is written to them.
  bool is_unwritten() const { return bytes_.find_first_not_of('\0', offset_) == ByteView::npos; }

  Piece read_damage() const {
    std::uint64_t rest = bytes_.size() - offset_;
    if (searched_ && first_.value + offset_ >= searched_->value)
      return {.offset = offset_, .bytes = rest};
    std::uint64_t bytes = 1;
    while (bytes < rest && !header_at(offset_ + bytes)) ++bytes;
    return {.offset = offset_, .bytes = bytes};
  }

  ByteView bytes_;
  LogPosition first_;
  std::uint32_t seed_;
  std::optional<LogPosition> searched_;
  std::uint64_t offset_;
};

/// A file as the first reading found it.
struct ScannedFile {
  FileId id;
  std::uint64_t bytes = 0;
  std::optional<FileHeader> header;
  bool is_unborn = false;  ///< its creation was interrupted

  LogPosition position_at(std::uint64_t offset) const { return {header->first.value + offset}; }
};

/// Reads each file once. What the log knew when it last wrote stands in the last marks, so the last
/// file is looked through first and kept for its turn, and the one before it when it has none.
class Recovery {
 public:
  Recovery(Disk& disk, const RecordVisitor& visitor) : disk_(disk), visitor_(visitor) {}

  Result<Recovered> run() {
    TRY(scan());
    choose_next();
    drop_dead_files();
    TRY(visit());
    return std::move(result_);
  }

 private:
  Result<> scan();
  Result<> scan_marks();
  Result<> read_whole(const ScannedFile& file);
  void learn(LogKnowledge known);
  void choose_next();
  void drop_dead_files();
  Result<> visit();
  void report_lost_file(const ScannedFile& file);
  void check_reached(LogPosition previous_end);
  Result<bool> visit_file(const ScannedFile& file, std::optional<LogPosition> limit);
  void visit_record(const ScannedFile& file, const Piece& piece);
  void visit_damage(const ScannedFile& file, const Piece& piece);
  void cut_tail(const ScannedFile& file, std::uint64_t offset, bool is_own_torn);
  void report(Corruption corruption);

  Disk& disk_;
  const RecordVisitor& visitor_;
  std::vector<ScannedFile> files_;
  std::map<FileId, Bytes> read_;
  Bytes bytes_;  ///< of the file that is being read; one block of memory serves them all
  Recovered result_;
  bool has_lost_file_ = false;  ///< what the next file misses before it was reported
};

Result<> Recovery::scan() {
  TRY_ASSIGN(std::vector<FileId> ids, disk_.list());
  std::ranges::sort(ids);
  for (FileId id : ids) {
    if (is_segment(id)) break;
    Bytes head;
    TRY(disk_.load(id, 0, file_header_bytes, head));
    ScannedFile file{.id = id, .bytes = disk_.size(id), .header = read_file_header(head, id)};
    if (file.header && file.header->version > log_version)
      return base::fail(base::ErrorCode::corrupt,
                        fmt::format("log file {} has format version {}, this program knows {}: "
                                    "start the version that wrote it",
                                    id.value, file.header->version, log_version));
    file.is_unborn =
        !file.header && (file.bytes <= file_header_bytes || is_former_life(head, id));
    if (file.header) learn(file.header->known);
    files_.push_back(std::move(file));
  }
  return scan_marks();
}

Result<> Recovery::scan_marks() {
  bool has_mark = false;
  for (auto file = files_.rbegin(); file != files_.rend() && !has_mark; ++file) {
    if (!file->header) continue;
    TRY(read_whole(*file));
    FileReader reader(bytes_, *file->header);
    while (auto piece = reader.next()) {
      if (!piece->record || piece->record->stream) continue;
      auto known = read_mark(piece->payload);
      if (!known) continue;
      learn(*known);
      has_mark = true;
    }
    read_.emplace(file->id, std::exchange(bytes_, {}));
  }
  return {};
}

/// Files before the last one are durable: the header of the one that follows says so.
Result<> Recovery::read_whole(const ScannedFile& file) {
  if (auto read = read_.extract(file.id)) {
    bytes_ = std::move(read.mapped());
    return {};
  }
  if (file.id != files_.back().id) return disk_.load(file.id, 0, file.bytes, bytes_);
  TRY_ASSIGN(bytes_, disk_.read(file.id));
  return {};
}

void Recovery::learn(LogKnowledge known) {
  result_.synced_mark = std::max(result_.synced_mark, known.synced);
  result_.start = std::max(result_.start, known.start);
}

void Recovery::choose_next() {
  std::uint64_t unplaced_bytes = 0;
  for (const ScannedFile& file : files_) {
    result_.next_file = file.id.next();
    if (!file.header) {
      unplaced_bytes += file.bytes;
      continue;
    }
    std::uint64_t bytes = std::max<std::uint64_t>(file.bytes, file_header_bytes);
    result_.next_position = std::max(result_.next_position, file.position_at(bytes));
  }
  result_.next_position = std::max({result_.next_position, result_.synced_mark, result_.start});
  result_.next_position.value += unplaced_bytes;
}

void Recovery::drop_dead_files() {
  auto begins_log = [&](const ScannedFile& file) {
    return file.header && file.header->first == result_.start;
  };
  auto first_living = std::ranges::find_if(files_, begins_log);
  bool is_start_known = first_living != files_.end();
  std::vector<ScannedFile> living;
  for (auto file = files_.begin(); file != files_.end(); ++file) {
    bool is_before_start =
        file->header ? file->header->first < result_.start : is_start_known && file < first_living;
    if (is_before_start || file->is_unborn)
      result_.dead_files.push_back(file->id);
    else
      living.push_back(*file);
  }
  files_ = std::move(living);
  // A file is begun only when the ones before it are durable.
  for (std::size_t i = 0; i + 1 < files_.size(); ++i)
    if (files_[i].header && !files_[i + 1].header)
      result_.synced_mark = std::max(result_.synced_mark, files_[i].position_at(files_[i].bytes));
}

Result<> Recovery::visit() {
  result_.end = result_.start;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const ScannedFile& file = files_[i];
    if (!file.header) {
      report_lost_file(file);
      continue;
    }
    check_reached(file.header->known.synced);
    std::optional<LogPosition> limit;
    for (std::size_t next = i + 1; next < files_.size() && !limit; ++next)
      if (files_[next].header) limit = files_[next].header->known.synced;
    TRY_ASSIGN(bool goes_on, visit_file(file, limit));
    if (!goes_on) break;
  }
  return {};
}

void Recovery::report_lost_file(const ScannedFile& file) {
  has_lost_file_ = true;
  report({.file = file.id,
          .offset = 0,
          .bytes = file.bytes,
          .position = result_.end,
          .stream = {},
          .text = fmt::format("both copies of the header of log file {} are damaged: none of its "
                              "{} bytes can be read; keep a copy of the file and let this node "
                              "catch up from its peers",
                              file.id.value, file.bytes)});
}

void Recovery::check_reached(LogPosition previous_end) {
  bool is_reported = std::exchange(has_lost_file_, false);
  if (previous_end <= result_.end) return;
  if (!is_reported) {
    FileId file = result_.files.empty() ? FileId{} : result_.files.back().file;
    std::uint64_t missing = previous_end.value - result_.end.value;
    report({.file = file,
            .offset = file ? result_.end.value - result_.files.back().first.value : 0,
            .bytes = missing,
            .position = result_.end,
            .stream = {},
            .text = fmt::format("the log lacks {} bytes after position {}: log file {} is too "
                                "short or a file behind it is missing; put it back from a copy or "
                                "let this node catch up from its peers",
                                missing, result_.end.value, file.value)});
  }
  result_.end = previous_end;
}

Result<bool> Recovery::visit_file(const ScannedFile& file, std::optional<LogPosition> limit) {
  TRY(read_whole(file));
  ByteView bytes = bytes_;
  if (limit && *limit < file.position_at(bytes.size()))
    bytes = bytes.substr(0, std::max(limit->value, file.header->first.value) -
                                file.header->first.value);
  result_.files.push_back({.file = file.id, .first = file.header->first, .end = {}});
  FileReader reader(bytes, *file.header, result_.synced_mark);
  std::uint64_t end = std::min<std::uint64_t>(bytes.size(), file_header_bytes);
  while (auto piece = reader.next()) {
    if (!piece->record && file.position_at(piece->offset) >= result_.synced_mark) {
      cut_tail(file, piece->offset, piece->has_header);
      return false;
    }
    if (piece->record)
      visit_record(file, *piece);
    else
      visit_damage(file, *piece);
    end = piece->offset + piece->bytes;
  }
  result_.end = std::max(result_.end, file.position_at(end));
  result_.files.back().end = result_.end;
  return true;
}

void Recovery::visit_record(const ScannedFile& file, const Piece& piece) {
  const RecordHeader& record = *piece.record;
  if (!record.stream) return;
  LogPosition position = file.position_at(piece.offset);
  result_.first_records.try_emplace(record.stream, position);
  result_.last_records[record.stream] = position;
  ++result_.records;
  if (visitor_) visitor_(position, record.stream, record.kind, piece.payload);
}

void Recovery::visit_damage(const ScannedFile& file, const Piece& piece) {
  std::string whose =
      piece.stream ? fmt::format("a record of stream {}", piece.stream.value) : "unknown records";
  report({.file = file.id,
          .offset = piece.offset,
          .bytes = piece.bytes,
          .position = file.position_at(piece.offset),
          .stream = piece.stream,
          .text = fmt::format("log file {} is damaged at offset {}: {} bytes, {}, were durable and "
                              "do not verify; check the disk and let this node catch up from its "
                              "peers",
                              file.id.value, piece.offset, piece.bytes, whose)});
}

void Recovery::cut_tail(const ScannedFile& file, std::uint64_t offset, bool is_own_torn) {
  // Behind the last record of a recycled file there are always bytes of its former life.
  if (is_own_torn || !file.header->is_recycled) {
    result_.torn_tail = true;
    result_.dropped_bytes = file.bytes - offset;
  }
  result_.end = file.position_at(offset);
  result_.files.back().end = result_.end;
}

void Recovery::report(Corruption corruption) {
  ++result_.corrupt_places;
  if (result_.corruption.size() < max_listed_corruption)
    result_.corruption.push_back(std::move(corruption));
}

}  // namespace

Result<Recovered> recover(Disk& disk, const RecordVisitor& visitor) {
  return Recovery(disk, visitor).run();
}

}  // namespace warren::storage
