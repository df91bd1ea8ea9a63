#include "storage/segment.h"

#include <doctest/doctest.h>

#include <map>

#include "base/random.h"
#include "storage/memory_disk.h"
#include "storage/segment_store.h"

using namespace warren;
using namespace warren::storage;

namespace {

constexpr SegmentIdentity identity{FileId{segment_files + 7}, StreamId{21}, 99};

/// A built segment and what was put into it.
struct Built {
  std::map<SegmentKey, std::string> payloads;
  base::Bytes bytes;
  SegmentExtent extent;
  SegmentIndex index;

  Segment segment() const { return Segment(identity.file, extent, index); }
};

Built build(std::uint64_t seed, int count) {
  base::Random random(seed);
  Built built;
  SegmentBuilder builder(identity);
  std::uint64_t key = 100;
  for (int i = 0; i < count; ++i) {
    key += 1 + random.below(4);
    std::string payload(random.below(60), '\0');
    for (char& octet : payload) octet = static_cast<char>(random.next());
    builder.add({key}, payload, static_cast<std::uint32_t>(payload.size()), random.chance(20),
                static_cast<std::uint8_t>(key * 7));
    built.payloads[{key}] = payload;
  }
  built.extent = builder.finish();
  built.index = builder.index();
  built.bytes = builder.take_bytes();
  return built;
}

/// What a reader gets from the bytes by that index: none made up.
std::map<SegmentKey, std::string> read_all(const Built& built, base::ByteView bytes,
                                           const SegmentIndex& index) {
  std::map<SegmentKey, std::string> found;
  for (const SegmentSlot& slot : index.slots) {
    if (slot.offset > bytes.size()) continue;
    auto payload = read_segment_record(bytes.substr(slot.offset), slot.key, index.seed);
    if (!payload) continue;
    REQUIRE(built.payloads.contains(slot.key));
    CHECK(built.payloads.at(slot.key) == *payload);
    found.emplace(slot.key, *payload);
  }
  return found;
}

std::optional<SegmentIndex> index_of(base::ByteView bytes, SegmentExtent extent) {
  if (bytes.size() < extent.index_at) return std::nullopt;
  return read_segment_index(bytes.substr(extent.index_at), identity.file, identity.stream);
}

}  // namespace

TEST_CASE("a segment gives back what was put into it") {
  Built built = build(1, 50);
  auto index = index_of(built.bytes, built.extent);
  REQUIRE(index.has_value());
  CHECK(index->slots.size() == 50);
  CHECK(read_all(built, built.bytes, *index) == built.payloads);
  for (const SegmentSlot& slot : index->slots)
    CHECK(slot.body_bytes == built.payloads.at(slot.key).size());
  for (const SegmentSlot& slot : index->slots)
    CHECK(slot.mark == static_cast<std::uint8_t>(slot.key.value * 7));
  auto scanned = scan_segment(built.bytes, identity.file, identity.stream);
  REQUIRE(scanned.has_value());
  CHECK(scanned->slots.size() == 50);
  for (const SegmentSlot& slot : scanned->slots)
    CHECK(slot.mark == static_cast<std::uint8_t>(slot.key.value * 7));
  CHECK_FALSE(read_segment_index(built.bytes, identity.file, StreamId{22}).has_value());
  CHECK_FALSE(scan_segment(built.bytes, FileId{segment_files + 8}, identity.stream).has_value());
}

TEST_CASE("a segment cut at every byte gives back what stands before the cut") {
  Built built = build(2, 12);
  for (std::size_t cut = 0; cut < built.bytes.size(); ++cut) {
    base::ByteView rest = base::ByteView(built.bytes).substr(0, cut);
    CHECK_FALSE(index_of(rest, built.extent).has_value());
    auto scanned = scan_segment(rest, identity.file, identity.stream);
    CHECK(scanned.has_value() == (cut >= segment_header_bytes));
    if (!scanned) continue;
    auto found = read_all(built, rest, *scanned);
    for (const SegmentSlot& slot : built.index.slots) {
      std::size_t end = slot.offset + segment_record_bytes + built.payloads.at(slot.key).size();
      CHECK(found.contains(slot.key) == (end <= cut));
    }
  }
}

TEST_CASE("a bit flipped in any byte of a segment costs one message at most and is noticed") {
  Built built = build(3, 12);
  for (std::size_t bit = 0; bit < 8 * built.bytes.size(); ++bit) {
    base::Bytes bytes = built.bytes;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    auto index = index_of(bytes, built.extent);
    // The header is read only when the index is damaged.
    bool is_noticed = bit / 8 < segment_header_bytes || !index;
    if (!index) index = scan_segment(bytes, identity.file, identity.stream);
    REQUIRE(index.has_value());
    auto found = read_all(built, bytes, *index);
    CHECK(found.size() + 1 >= built.payloads.size());
    if (!is_noticed) CHECK(found.size() < built.payloads.size());
    if (found.size() < built.payloads.size()) CHECK(bit / 8 >= segment_header_bytes);
  }
}

TEST_CASE("random bytes are no segment") {
  base::Random random(4);
  for (int round = 0; round < 2000; ++round) {
    Built built = build(5, 3);
    base::Bytes bytes = built.bytes;
    for (std::uint64_t left = 1 + random.below(200); left-- > 0;)
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    if (random.chance(50)) bytes.resize(random.below(bytes.size()));
    if (auto index = index_of(bytes, built.extent)) read_all(built, bytes, *index);
    if (auto index = scan_segment(bytes, identity.file, identity.stream))
      read_all(built, bytes, *index);
  }
}

TEST_CASE("a segment remembers what has left it, and says so") {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    base::Random random(seed);
    Built built = build(seed, 100);
    Segment segment = built.segment();
    std::map<SegmentKey, std::string> left = built.payloads;
    for (int i = 0; i < 60; ++i) {
      SegmentKey key{100 + random.below(300)};
      CHECK(segment.settle(key) == (left.erase(key) > 0));
    }
    CHECK(segment.live() == left.size());
    Segment again = built.segment();
    for (KeyRange keys : segment.note().settled) again.settle(keys);
    CHECK(again.live() == left.size());
    CHECK(again.live_bytes() == segment.live_bytes());
    for (std::size_t slot = 0; slot < again.count(); ++slot)
      CHECK(again.is_live(slot) == left.contains(again.key(slot)));
  }
}

TEST_CASE("a set finds the segment of a key and gives out those that are dead") {
  SegmentSet set;
  for (std::uint64_t number : {3, 1, 2}) {
    SegmentBuilder builder({FileId{segment_files + number}, StreamId{21}, 1});
    for (std::uint64_t i = 1; i <= 3; ++i) builder.add({number * 10 + i}, "x", 1, false);
    SegmentExtent extent = builder.finish();
    set.add(Segment(builder.identity().file, extent, builder.index()));
  }
  CHECK(set.find_from({5})->file().value == segment_files + 1);
  CHECK(set.find_from({14})->file().value == segment_files + 2);
  CHECK(set.find_from({33})->file().value == segment_files + 3);
  CHECK(set.find_from({34}) == nullptr);
  CHECK_FALSE(set.settle({21}));
  CHECK_FALSE(set.settle({21}));
  CHECK_FALSE(set.settle({11}));
  CHECK_FALSE(set.settle({22}));
  CHECK(set.take_dead().empty());
  CHECK(set.settle({23}));
  CHECK(set.take_dead() == std::vector<FileId>{FileId{segment_files + 2}});
  CHECK_FALSE(set.settle({22}));
  CHECK(set.find_from({14})->file().value == segment_files + 3);
}

TEST_CASE("the store tells whose request has ended and keeps what is listed") {
  struct Listener : DiskEvents {
    void on_disk_done(DiskToken token, base::Result<> result) override {
      if (auto event = store->on_disk_done(token, std::move(result))) events.push_back(*event);
    }
    void on_disk_read(DiskToken token, base::Result<base::Bytes> result) override {
      if (auto event = store->on_disk_read(token, std::move(result))) events.push_back(*event);
    }
    SegmentStore* store = nullptr;
    std::vector<SegmentEvent> events;
  } listener;
  MemoryDisk disk;
  SegmentStore store(disk, {});
  listener.store = &store;
  disk.set_events(&listener);
  std::vector<FileId> files;
  SegmentExtent extent;
  for (int i = 0; i < 2; ++i) {
    SegmentBuilder builder(store.make_identity(StreamId{33}));
    builder.add({5}, "five", 4, false);
    extent = builder.finish();
    files.push_back(builder.identity().file);
    store.write(builder.identity(), builder.take_bytes());
  }
  store.sync(StreamId{33}, files[0]);
  store.read(StreamId{33}, files[1], segment_header_bytes, 28);
  disk.run_all();
  REQUIRE(listener.events.size() == 4);
  CHECK(listener.events[2].kind == SegmentEvent::Kind::synced);
  CHECK(listener.events[3].result->substr(24) == "five");

  SegmentStore next(disk, {});
  listener.store = &next;
  REQUIRE(next.find_files());
  bool is_damaged = true;
  CHECK(next.load_index(files[1], StreamId{33}, extent, is_damaged).has_value());
  CHECK_FALSE(is_damaged);
  next.remove_others({files[1]});
  disk.run_all();
  CHECK(disk.list() == std::vector<FileId>{files[1]});
  CHECK(next.make_identity(StreamId{33}).file > files[1]);
  CHECK_FALSE(next.load_index(files[0], StreamId{33}, extent, is_damaged).has_value());
  CHECK(is_damaged);
  disk.truncate(files[1], disk.size(files[1]) - 1);
  CHECK(next.load_index(files[1], StreamId{33}, extent, is_damaged)->slots.size() == 1);
  CHECK(is_damaged);
}
