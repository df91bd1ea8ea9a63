#include "storage/segment_format.h"

#include "base/assert.h"
#include "base/crc32c.h"

namespace warren::storage {
namespace {

using base::ByteReader;
using base::Bytes;
using base::ByteView;
using base::ByteWriter;
using base::crc32c;

constexpr ByteView header_magic = "WARRENSG";
constexpr ByteView footer_magic = "WARRENSI";
constexpr std::size_t slot_bytes = 16;
constexpr std::size_t footer_bytes = 48;
constexpr std::uint32_t transient_flag = 1;
/// Where the mark stands in a record's flags, and in an index entry's key.
constexpr int mark_in_flags = 8;
constexpr int mark_in_key = 56;
constexpr std::uint64_t key_mask = (std::uint64_t{1} << mark_in_key) - 1;

Bytes checked_header(const SegmentIdentity& identity) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.raw(header_magic);
  writer.u32(segment_version);
  writer.u32(0);
  writer.u64(identity.file.value);
  writer.u64(identity.stream.value);
  writer.u64(identity.salt);
  bytes.resize(segment_header_bytes - 4, '\0');
  return bytes;
}

struct RecordHead {
  std::uint32_t payload_check = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t flags = 0;
  SegmentKey key;
};

std::optional<RecordHead> read_head(ByteView bytes, std::uint32_t seed) {
  if (bytes.size() < segment_record_bytes) return std::nullopt;
  ByteReader reader(bytes);
  std::uint32_t check = reader.u32();
  RecordHead head;
  head.payload_check = reader.u32();
  head.payload_bytes = reader.u32();
  head.flags = reader.u32();
  head.key = SegmentKey{reader.u64()};
  if (check != crc32c(bytes.substr(4, segment_record_bytes - 4), seed)) return std::nullopt;
  return head;
}

/// Of a payload that is whole; nothing when it doesn't verify.
std::optional<ByteView> read_payload(ByteView bytes, const RecordHead& head, std::uint32_t seed) {
  ByteView payload = bytes.substr(segment_record_bytes, head.payload_bytes);
  if (payload.size() != head.payload_bytes || crc32c(payload, seed) != head.payload_check)
    return std::nullopt;
  return payload;
}

}  // namespace

std::uint32_t SegmentIdentity::seed() const {
  return crc32c(checked_header(*this));
}

SegmentBuilder::SegmentBuilder(SegmentIdentity identity) : identity_(identity) {
  index_.seed = identity.seed();
  bytes_ = checked_header(identity);
  ByteWriter(bytes_).u32(index_.seed);
  ASSERT(bytes_.size() == segment_header_bytes);
}

void SegmentBuilder::add(SegmentKey key, ByteView payload, std::uint32_t body_bytes,
                         bool is_transient, std::uint8_t mark) {
  ASSERT(key.value <= key_mask);
  ASSERT(index_.slots.empty() || index_.slots.back().key < key);
  std::size_t start = bytes_.size();
  index_.slots.push_back({key, static_cast<std::uint32_t>(start), body_bytes, is_transient, mark});
  ByteWriter writer(bytes_);
  writer.u32(0);
  writer.u32(crc32c(payload, index_.seed));
  writer.u32(static_cast<std::uint32_t>(payload.size()));
  writer.u32((is_transient ? transient_flag : 0) | std::uint32_t{mark} << mark_in_flags);
  writer.u64(key.value);
  writer.patch_u32(start, crc32c(ByteView(bytes_).substr(start + 4), index_.seed));
  writer.raw(payload);
  index_.records_end = static_cast<std::uint32_t>(bytes_.size());
}

SegmentExtent SegmentBuilder::finish() {
  SegmentExtent extent{.index_at = index_.records_end};
  ByteWriter writer(bytes_);
  for (const SegmentSlot& slot : index_.slots) {
    writer.u64(slot.key.value | std::uint64_t{slot.mark} << mark_in_key);
    writer.u32(slot.offset);
    writer.u32(slot.body_bytes << 1 | (slot.is_transient ? transient_flag : 0));
  }
  std::uint32_t check = crc32c(ByteView(bytes_).substr(index_.records_end), index_.seed);
  std::size_t footer = bytes_.size();
  writer.raw(footer_magic);
  writer.u32(segment_version);
  writer.u32(static_cast<std::uint32_t>(index_.slots.size()));
  writer.u32(index_.records_end);
  writer.u32(index_.seed);
  writer.u64(identity_.file.value);
  writer.u64(identity_.stream.value);
  writer.u32(check);
  writer.u32(crc32c(ByteView(bytes_).substr(footer), index_.seed));
  ASSERT(bytes_.size() == footer + footer_bytes);
  ASSERT(bytes_.size() <= UINT32_MAX);
  extent.bytes = static_cast<std::uint32_t>(bytes_.size());
  return extent;
}

std::optional<SegmentIndex> read_segment_index(ByteView bytes, FileId file, StreamId stream) {
  if (bytes.size() < footer_bytes) return std::nullopt;
  ByteView footer = bytes.substr(bytes.size() - footer_bytes);
  ByteReader reader(footer);
  bool is_ours = reader.raw(footer_magic.size()) == footer_magic;
  is_ours &= reader.u32() == segment_version;
  std::uint64_t count = reader.u32();
  SegmentIndex index;
  index.records_end = reader.u32();
  index.seed = reader.u32();
  is_ours &= FileId{reader.u64()} == file;
  is_ours &= StreamId{reader.u64()} == stream;
  std::uint32_t check = reader.u32();
  is_ours &= reader.u32() == crc32c(footer.substr(0, footer_bytes - 4), index.seed);
  if (!is_ours || bytes.size() < count * slot_bytes + footer_bytes) return std::nullopt;
  ByteView slots =
      bytes.substr(bytes.size() - footer_bytes - count * slot_bytes, count * slot_bytes);
  if (crc32c(slots, index.seed) != check) return std::nullopt;
  index.slots.reserve(count);
  for (const char* at = slots.data(); at != slots.data() + slots.size(); at += slot_bytes) {
    auto marked_key = base::load_network<std::uint64_t>(at);
    auto packed = base::load_network<std::uint32_t>(at + 12);
    index.slots.push_back({.key = SegmentKey{marked_key & key_mask},
                           .offset = base::load_network<std::uint32_t>(at + 8),
                           .body_bytes = packed >> 1,
                           .is_transient = (packed & transient_flag) != 0,
                           .mark = static_cast<std::uint8_t>(marked_key >> mark_in_key)});
  }
  return index;
}

std::optional<SegmentIndex> scan_segment(ByteView bytes, FileId file, StreamId stream) {
  ByteReader reader(bytes.substr(0, segment_header_bytes));
  if (reader.raw(header_magic.size()) != header_magic) return std::nullopt;
  if (reader.u32() != segment_version) return std::nullopt;
  reader.u32();
  if (FileId{reader.u64()} != file || StreamId{reader.u64()} != stream) return std::nullopt;
  if (bytes.size() < segment_header_bytes) return std::nullopt;
  SegmentIndex index;
  index.seed = crc32c(bytes.substr(0, segment_header_bytes - 4));
  if (ByteReader(bytes.substr(segment_header_bytes - 4)).u32() != index.seed) return std::nullopt;
  std::uint64_t at = segment_header_bytes;
  index.records_end = static_cast<std::uint32_t>(at);
  while (at + segment_record_bytes <= bytes.size()) {
    auto head = read_head(bytes.substr(at), index.seed);
    bool is_in_order = head && (index.slots.empty() || index.slots.back().key < head->key);
    if (!is_in_order) {
      ++at;
      continue;
    }
    if (auto payload = read_payload(bytes.substr(at), *head, index.seed)) {
      index.slots.push_back({head->key, static_cast<std::uint32_t>(at), 0,
                             (head->flags & transient_flag) != 0,
                             static_cast<std::uint8_t>(head->flags >> mark_in_flags)});
      at += segment_record_bytes + payload->size();
      index.records_end = static_cast<std::uint32_t>(at);
    } else {
      at += segment_record_bytes;
    }
  }
  return index;
}

std::optional<ByteView> read_segment_record(ByteView bytes, SegmentKey key, std::uint32_t seed) {
  auto head = read_head(bytes, seed);
  if (!head || head->key != key) return std::nullopt;
  return read_payload(bytes, *head, seed);
}

}  // namespace warren::storage
