// What a disk gives back: the log after a crash, segments, and the records of a queue in a log.
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/assert.h"
#include "cluster/archive.h"
#include "cluster/queue_entry.h"
#include "cluster/replica.h"
#include "fuzz/targets.h"
#include "storage/log.h"
#include "storage/memory_disk.h"
#include "storage/recovery.h"
#include "storage/segment_format.h"
#include "storage/segment_store.h"

namespace warren::fuzz {
namespace {

using base::Bytes;
using base::ByteReader;
using base::ByteView;

struct Record {
  storage::StreamId stream;
  std::uint8_t kind;
  Bytes payload;
  bool operator==(const Record&) const = default;
};

std::vector<Record> recover(storage::Disk& disk, storage::Recovered& recovered) {
  std::vector<Record> records;
  auto result = storage::recover(disk, [&](storage::LogPosition, storage::StreamId stream,
                                           std::uint8_t kind, ByteView payload) {
    records.push_back({stream, kind, Bytes(payload)});
  });
  if (result) recovered = std::move(*result);
  return records;
}

/// Writes the records that the input describes and gives them back.
std::vector<Record> write_records(ByteReader& input, storage::MemoryDisk& disk) {
  storage::Recovered nothing;
  recover(disk, nothing);
  storage::Log log(disk, {.file_bytes = 1024, .max_live_files = 4, .salt = 5}, nothing);
  disk.set_events(&log);
  std::vector<Record> records;
  for (unsigned count = input.u8() % 64; count > 0 && !input.failed(); --count) {
    const std::uint8_t head = input.u8(), size = input.u8();
    Record record{storage::StreamId{1u + head % 5}, static_cast<std::uint8_t>(head / 8),
                  Bytes(size, static_cast<char>(count))};
    log.append(record.stream, record.kind, record.payload);
    records.push_back(std::move(record));
    if (head & 1) {
      log.flush(true);
      disk.run_all();
    }
  }
  log.flush(true);
  disk.run_all();
  disk.set_events(nullptr);
  return records;
}

/// Changes octets of files as the input says; at last one file may lose its end.
void damage(ByteReader& input, storage::MemoryFiles& files) {
  while (!input.failed() && input.rest().size() >= 4) {
    const std::uint8_t which = input.u8();
    const std::uint16_t at = input.u16();
    const std::uint8_t by = input.u8();
    if (files.files.empty()) return;
    auto found = files.files.begin();
    std::advance(found, which % files.files.size());
    Bytes& octets = found->second.durable;
    if (octets.empty()) continue;
    if (by == 0)
      octets.resize(at % octets.size());
    else
      octets[at % octets.size()] = static_cast<char>(octets[at % octets.size()] ^ by);
  }
}

}  // namespace

void fuzz_log(ByteView input) {
  ByteReader reader(input);
  const bool is_raw = reader.u8() & 1;
  storage::MemoryDisk disk;
  std::vector<Record> written;
  if (is_raw) {
    storage::MemoryFiles::File file;
    file.durable = Bytes(reader.rest());
    file.is_name_durable = true;
    disk.files()->files[storage::FileId{1}] = file;
  } else {
    written = write_records(reader, disk);
    damage(reader, *disk.files());
  }
  storage::Recovered recovered;
  const std::vector<Record> found = recover(disk, recovered);
  if (is_raw) return;
  // Damage takes records away; it makes none and does not mix them up.
  auto next = written.begin();
  for (const Record& record : found) {
    while (next != written.end() && !(*next == record)) ++next;
    ASSERT(next != written.end());
    ++next;
  }
  // What was recovered goes on.
  storage::Log log(disk, {.file_bytes = 1024, .max_live_files = 4, .salt = 6}, recovered);
  disk.set_events(&log);
  log.append(storage::StreamId{9}, 1, ByteView("after"));
  log.flush(true);
  disk.run_all();
  disk.set_events(nullptr);
  storage::Recovered again;
  const std::vector<Record> more = recover(disk, again);
  ASSERT(!more.empty() && more.back().payload == "after");
}

void fuzz_segment(ByteView input) {
  ByteReader reader(input);
  const storage::SegmentIdentity identity{storage::FileId{7}, storage::StreamId{3}, 11};
  if (reader.u8() & 1) {
    (void)storage::read_segment_index(reader.rest(), identity.file, identity.stream);
    (void)storage::scan_segment(reader.rest(), identity.file, identity.stream);
    (void)storage::read_segment_record(reader.rest(), storage::SegmentKey{1}, identity.seed());
    return;
  }
  storage::SegmentBuilder builder(identity);
  std::map<storage::SegmentKey, Bytes> written;
  storage::SegmentKey key;
  for (unsigned count = 1 + reader.u8() % 32; count > 0 && !reader.failed(); --count) {
    key.value += 1 + reader.u8() % 4;
    const Bytes payload(reader.u8(), static_cast<char>(count));
    builder.add(key, payload, 5, count % 2 == 0);
    written[key] = payload;
  }
  if (builder.empty()) return;
  const storage::SegmentExtent extent = builder.finish();
  storage::MemoryFiles files;
  files.files[identity.file].durable = builder.take_bytes();
  const bool is_whole = reader.rest().size() < 4;
  damage(reader, files);
  const ByteView bytes = files.files[identity.file].durable;
  auto index = bytes.size() == extent.bytes
                   ? storage::read_segment_index(bytes.substr(extent.index_at), identity.file,
                                                 identity.stream)
                   : std::nullopt;
  ASSERT(!is_whole || (index && index->slots.size() == written.size()));
  auto scanned = storage::scan_segment(bytes, identity.file, identity.stream);
  // Whatever is found was written, and reads as it was or not at all.
  for (const auto* found : {&index, &scanned}) {
    if (!*found) continue;
    for (const storage::SegmentSlot& slot : (*found)->slots) {
      ASSERT(written.contains(slot.key));
      if (slot.offset >= bytes.size()) continue;
      auto payload =
          storage::read_segment_record(bytes.substr(slot.offset), slot.key, (*found)->seed);
      ASSERT(!payload || *payload == written[slot.key]);
      ASSERT(payload || !is_whole);
    }
  }
}

void fuzz_queue(ByteView input) {
  if (auto entry = cluster::read_archive<cluster::QueueEntry>(input, "entry")) {
    Bytes once, twice;
    cluster::write_archive(once, *entry);
    auto again = cluster::read_archive<cluster::QueueEntry>(once, "entry");
    ASSERT(again);
    cluster::write_archive(twice, *again);
    ASSERT(once == twice);
  }
  (void)broker::Message::decode(input);
  // Records of one queue, each behind its kind and its length.
  storage::MemoryDisk disk;
  storage::Log log(disk, {}, storage::Recovered{});
  disk.set_events(&log);
  storage::SegmentStore segments(disk, {});
  ASSERT(segments.find_files());
  cluster::Replica replica(cluster::QueueId{1}, true, log, segments);
  ByteReader reader(input);
  for (std::uint64_t position = 1; !reader.empty(); ++position) {
    const std::uint8_t kind = reader.u8();
    const ByteView payload = reader.raw(reader.u16());
    if (reader.failed()) break;
    replica.recover(storage::LogPosition{position}, kind, payload);
  }
  std::set<storage::FileId> wanted;
  replica.finish_recovery(wanted);
  (void)replica.contents();
}

}  // namespace warren::fuzz
