#include "storage/log_format.h"

#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "base/crc32c.h"

namespace warren::storage {
namespace {

using base::ByteReader;
using base::Bytes;
using base::ByteView;
using base::ByteWriter;
using base::crc32c;

constexpr ByteView magic = "WARRENWL";
constexpr std::uint32_t recycled_flag = 1;
constexpr std::size_t header_copy_bytes = file_header_bytes / 2;
constexpr std::size_t checked_header_bytes = header_copy_bytes - 4;

Bytes checked_part(const FileHeader& header) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.raw(magic);
  writer.u32(header.version);
  writer.u32(header.is_recycled ? recycled_flag : 0);
  writer.u64(header.file.value);
  writer.u64(header.first.value);
  writer.u64(header.known.synced.value);
  writer.u64(header.known.start.value);
  writer.u64(header.salt);
  writer.u32(0);
  return bytes;
}

std::optional<FileHeader> read_copy(ByteView copy) {
  if (copy.size() != header_copy_bytes) return std::nullopt;
  ByteReader reader(copy);
  if (reader.raw(magic.size()) != magic) return std::nullopt;
  FileHeader header;
  header.version = reader.u32();
  header.is_recycled = (reader.u32() & recycled_flag) != 0;
  header.file = FileId{reader.u64()};
  header.first = LogPosition{reader.u64()};
  header.known.synced = LogPosition{reader.u64()};
  header.known.start = LogPosition{reader.u64()};
  header.salt = reader.u64();
  reader.u32();
  if (reader.u32() != crc32c(copy.substr(0, checked_header_bytes))) return std::nullopt;
  return header;
}

/// The copies that verify, whosesoever they are.
std::vector<FileHeader> read_copies(ByteView file_bytes) {
  std::vector<FileHeader> copies;
  for (std::size_t offset : {std::size_t{0}, header_copy_bytes}) {
    if (offset > file_bytes.size()) break;
    if (auto header = read_copy(file_bytes.substr(offset, header_copy_bytes)))
      copies.push_back(*header);
  }
  return copies;
}

}  // namespace

std::uint32_t FileHeader::seed() const {
  return crc32c(checked_part(*this));
}

void write_file_header(Bytes& out, const FileHeader& header) {
  Bytes copy = checked_part(header);
  ByteWriter(copy).u32(header.seed());
  ASSERT(copy.size() == header_copy_bytes);
  out += copy;
  out += copy;
}

std::optional<FileHeader> read_file_header(ByteView file_bytes, FileId file) {
  for (const FileHeader& header : read_copies(file_bytes))
    if (header.file == file) return header;
  return std::nullopt;
}

bool is_former_life(ByteView file_bytes, FileId file) {
  std::vector<FileHeader> copies = read_copies(file_bytes);
  return !copies.empty() && std::ranges::none_of(copies, [&](const FileHeader& header) {
    return header.file == file;
  });
}

void write_record_header(Bytes& out, const RecordHeader& header, std::uint32_t seed) {
  std::size_t start = out.size();
  ByteWriter writer(out);
  writer.u32(0);
  writer.u32(header.payload_check);
  writer.u32(header.payload_bytes);
  writer.u32(std::uint32_t{header.kind} << 24);
  writer.u64(header.position.value);
  writer.u64(header.stream.value);
  writer.patch_u32(start, crc32c(ByteView(out).substr(start + 4, record_header_bytes - 4), seed));
}

void set_payload_check(Bytes& bytes, std::size_t start, std::uint32_t seed) {
  ByteWriter writer(bytes);
  ByteView record = ByteView(bytes).substr(start);
  writer.patch_u32(start + 4, crc32c(record.substr(record_header_bytes), seed));
  writer.patch_u32(start, crc32c(record.substr(4, record_header_bytes - 4), seed));
}

std::optional<RecordHeader> verify_record_header(ByteView bytes, std::uint32_t seed) {
  ByteReader reader(bytes);
  if (reader.u32() != crc32c(bytes.substr(4, record_header_bytes - 4), seed)) return std::nullopt;
  RecordHeader header;
  header.payload_check = reader.u32();
  header.payload_bytes = reader.u32();
  header.kind = static_cast<std::uint8_t>(reader.u32() >> 24);
  header.position = LogPosition{reader.u64()};
  header.stream = StreamId{reader.u64()};
  if (header.payload_bytes > max_record_bytes) return std::nullopt;
  return header;
}

Bytes make_mark(LogPosition position, LogKnowledge known, std::uint32_t seed) {
  Bytes payload;
  ByteWriter writer(payload);
  writer.u64(known.synced.value);
  writer.u64(known.start.value);
  Bytes mark;
  RecordHeader header{.position = position,
                      .stream = {},
                      .kind = 0,
                      .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                      .payload_check = crc32c(payload, seed)};
  write_record_header(mark, header, seed);
  return mark + payload;
}

std::optional<LogKnowledge> read_mark(ByteView payload) {
  ByteReader reader(payload);
  LogKnowledge known{.synced = {reader.u64()}, .start = {reader.u64()}};
  if (reader.failed() || !reader.empty()) return std::nullopt;
  return known;
}

}  // namespace warren::storage
