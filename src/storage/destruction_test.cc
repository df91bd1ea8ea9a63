#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "storage/log_fixture.h"

using namespace warren;
using namespace warren::storage;

namespace {

using Files = std::map<FileId, MemoryFiles::File>;

constexpr Log::Options small_files{.file_bytes = 900, .max_live_files = 3, .salt = 4};

/// A log that was written in peace, and what stands in it.
struct Recording {
  Files files;
  std::vector<SeenRecord> records;
  LogPosition synced_mark;

  explicit Recording(const LogFixture& node) : files(node.disk.files()->files) {
    MemoryDisk disk;
    disk.files()->files = files;
    RecoveredLog all = recover_all(disk);
    records = all.records;
    synced_mark = all.state.synced_mark;
  }
};

/// `turns` batches of some records each, over several small files. The last batches are vouched for
/// by a mark when `is_sealed`.
Recording record_workload(std::uint64_t seed, int turns, bool is_sealed) {
  LogFixture node(small_files);
  base::Random random(seed);
  for (int turn = 0; turn < turns; ++turn) {
    for (std::uint64_t left = random.below(4); left-- > 0;) {
      std::string payload(random.below(90), '\0');
      for (char& octet : payload) octet = static_cast<char>(random.next());
      node.append(1 + random.below(5), payload);
    }
    node.log->flush(random.chance(70));
    node.disk.run_all();
  }
  node.store(1, "the end");
  if (is_sealed) node.log->mark_synced(true);
  node.disk.run_all();
  return Recording(node);
}

/// The file has grown ahead of its records, which end before.
bool is_unused(const MemoryFiles::File& file, std::uint64_t offset) {
  return file.durable.find_first_not_of('\0', offset) == base::Bytes::npos;
}

/// Checks that `survivors` are records of the recording, in order: none made up, none changed.
/// Returns those that are not there any more.
std::vector<SeenRecord> missing_from(const std::vector<SeenRecord>& recorded,
                                     const std::vector<SeenRecord>& survivors) {
  std::vector<SeenRecord> missing;
  std::size_t next = 0;
  for (const SeenRecord& record : recorded) {
    if (next < survivors.size() && survivors[next] == record)
      ++next;
    else
      missing.push_back(record);
  }
  CHECK(next == survivors.size());
  return missing;
}

/// The node starts again over the damaged files, writes, and finds the same plus what it wrote.
void check_goes_on(MemoryDisk& disk, const RecoveredLog& before) {
  Log log(disk, small_files, before.state);
  disk.set_events(&log);
  LogPosition position = log.append(StreamId{77}, 1, "after the damage");
  log.flush(true);
  disk.run_all();
  disk.set_events(nullptr);
  RecoveredLog after = recover_all(disk);
  REQUIRE(after.records.size() == before.records.size() + 1);
  CHECK(std::equal(before.records.begin(), before.records.end(), after.records.begin()));
  CHECK(after.records.back().position == position);
  CHECK(position >= before.state.end);
  CHECK_FALSE(after.state.torn_tail);
  CHECK(after.state.corrupt_places == before.state.corrupt_places);
}

/// The last file cut at every byte from `from` on; `is_grown`: in zeros from there on.
void cut_last_file(const Recording& recording, std::uint64_t from, bool is_grown) {
  auto [last, content] = *recording.files.rbegin();
  LogPosition first = read_file_header(content.durable, last)->first;
  for (std::uint64_t cut = from; cut < content.durable.size(); ++cut) {
    MemoryDisk disk;
    disk.files()->files = recording.files;
    disk.truncate(last, cut);
    if (is_grown) disk.files()->files[last].durable.resize(content.durable.size(), '\0');
    RecoveredLog recovered = recover_all(disk);
    CHECK(recovered.state.corruption.empty());
    for (const SeenRecord& record : missing_from(recording.records, recovered.records))
      CHECK(record.position.value + record_header_bytes + record.payload.size() >
            first.value + cut);
    check_goes_on(disk, recovered);
  }
}

}  // namespace

TEST_CASE("the last file cut at every byte gives back exactly what stands before the cut") {
  Recording recording = record_workload(1, 30, false);
  REQUIRE(recording.files.size() > 3);
  cut_last_file(recording, 0, false);
}

TEST_CASE("the last file cut to zeros from every byte on gives back exactly what stands before") {
  cut_last_file(record_workload(5, 20, false), file_header_bytes, true);
}

TEST_CASE("a file in the middle cut at every byte is named, and the other files are kept") {
  Recording recording = record_workload(2, 30, false);
  REQUIRE(recording.files.size() > 3);
  auto file = std::next(recording.files.begin());
  LogPosition first = read_file_header(file->second.durable, file->first)->first;
  FileHeader next =
      read_file_header(std::next(file)->second.durable, std::next(file)->first).value();
  for (std::uint64_t cut = 0; cut < next.known.synced.value - first.value; ++cut) {
    MemoryDisk disk;
    disk.files()->files = recording.files;
    disk.truncate(file->first, cut);
    RecoveredLog recovered = recover_all(disk);
    CHECK(recovered.state.corrupt_places > 0);
    for (const SeenRecord& record : missing_from(recording.records, recovered.records)) {
      CHECK(record.position.value + record_header_bytes + record.payload.size() >
            first.value + cut);
      CHECK(record.position < next.first);
    }
    check_goes_on(disk, recovered);
  }
}

TEST_CASE("a bit flipped in any byte costs one record at most and is named") {
  Recording recording = record_workload(3, 20, true);
  REQUIRE(recording.files.size() > 2);
  base::Random random(3);
  for (const auto& [id, file] : recording.files) {
    for (std::uint64_t offset = 0; offset < file.durable.size(); ++offset) {
      CAPTURE(id.value);
      CAPTURE(offset);
      MemoryDisk disk;
      disk.files()->files = recording.files;
      disk.flip_bit(id, offset, static_cast<unsigned>(random.below(8)));
      RecoveredLog recovered = recover_all(disk);
      auto missing = missing_from(recording.records, recovered.records);
      CHECK(missing.size() <= 1);
      if (offset < file_header_bytes) {
        CHECK(missing.empty());
        CHECK(recovered.state.corruption.empty());
      } else if (recovered.state.torn_tail) {
        // The mark that vouches for the last records is itself the last thing in the log.
        CHECK(missing.empty());
      } else if (is_unused(file, offset)) {
        CHECK(missing.empty());
        CHECK(recovered.state.corruption.empty());
      } else {
        REQUIRE(recovered.state.corruption.size() == 1);
        const Corruption& corruption = recovered.state.corruption[0];
        CHECK(corruption.file == id);
        CHECK(corruption.offset <= offset);
        CHECK(offset < corruption.offset + corruption.bytes);
      }
    }
  }
}

TEST_CASE("every bit of a small log flipped") {
  LogFixture node;
  for (int i = 0; i < 3; ++i) node.store(5, "small");
  node.log->mark_synced(true);
  node.disk.run_all();
  Recording recording(node);
  FileId file{1};
  for (std::uint64_t bit = 0; bit < 8 * recording.files.at(file).durable.size(); ++bit) {
    MemoryDisk disk;
    disk.files()->files = recording.files;
    disk.flip_bit(file, bit / 8, static_cast<unsigned>(bit % 8));
    RecoveredLog recovered = recover_all(disk);
    auto missing = missing_from(recording.records, recovered.records);
    CHECK(missing.size() <= recovered.state.corruption.size());
  }
}

TEST_CASE("damage of all kinds at once never makes records up and is never silent") {
  Recording recording = record_workload(4, 25, true);
  std::vector<FileId> ids;
  for (const auto& [id, file] : recording.files) ids.push_back(id);
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    CAPTURE(seed);
    base::Random random(seed);
    MemoryDisk disk;
    disk.files()->files = recording.files;
    for (std::uint64_t left = 1 + random.below(12); left-- > 0;) {
      // The last file is not removed and not cut: a log that merely ends early shows no trace.
      bool may_shorten = random.chance(20);
      FileId id = ids[random.below(ids.size() - (may_shorten ? 1 : 0))];
      std::uint64_t bytes = disk.size(id);
      if (may_shorten && random.chance(30))
        disk.files()->files.erase(id);
      else if (may_shorten && bytes > 0)
        disk.truncate(id, random.below(bytes));
      else if (bytes > 0)
        disk.flip_bit(id, random.below(bytes), static_cast<unsigned>(random.below(8)));
    }
    RecoveredLog recovered = recover_all(disk);
    auto missing = missing_from(recording.records, recovered.records);
    bool has_lost_durable = std::ranges::any_of(missing, [&](const SeenRecord& record) {
      return record.position < recovered.state.synced_mark;
    });
    if (has_lost_durable) CHECK(recovered.state.corrupt_places > 0);
    if (!missing.empty()) CHECK((recovered.state.corrupt_places > 0 || recovered.state.torn_tail));
    check_goes_on(disk, recovered);
  }
}

TEST_CASE("files of random bytes are read without harm") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    base::Random random(seed);
    MemoryDisk disk;
    for (std::uint64_t file = 1; file <= 3; ++file) {
      base::Bytes bytes;
      if (random.chance(70))
        write_file_header(bytes, {.file = FileId{file},
                                  .first = {random.below(3000)},
                                  .known = {{random.below(4000)}, {random.below(2000)}}});
      for (std::uint64_t left = random.below(600); left-- > 0;)
        bytes.push_back(static_cast<char>(random.chance(30) ? random.next() : 0));
      disk.files()->files[FileId{file}].durable = bytes;
    }
    RecoveredLog recovered = recover_all(disk);
    CHECK(recovered.records.empty());
    Log log(disk, small_files, recovered.state);
    log.append(StreamId{1}, 1, "still works");
    log.flush(true);
    disk.set_events(&log);
    disk.run_all();
    CHECK(log.synced() == log.end());
  }
}

namespace {

/// A node that appends, moves, releases, and crashes, beside a model of what it must still know.
class CrashRun {
 public:
  explicit CrashRun(std::uint64_t seed) : random_(seed), node_(small_files) {}

  void run(int lives) {
    for (int life = 0; life < lives; ++life) {
      for (std::uint64_t turns = random_.below(60); turns-- > 0;) turn();
      if (random_.chance(30))
        node_.disk.kill(random_);
      else
        node_.disk.crash(random_);
      node_.start();
      check();
    }
  }
  std::size_t moves() const { return moves_; }
  std::size_t most_files() const { return most_files_; }

 private:
  /// Something that a stream's owner wants to keep. Its payload is its name.
  struct Item {
    StreamId stream;
    LogPosition position;  ///< of its newest copy
    bool is_durable = false;
  };

  void turn() {
    for (std::uint64_t left = random_.below(5); left-- > 0;) {
      StreamId stream{1 + random_.below(6)};
      std::string name = fmt::format("{}{}", ++last_name_, std::string(random_.below(110), '.'));
      items_[name] = {stream, node_.append(stream.value, name)};
    }
    if (random_.chance(40)) drop_some(StreamId{1 + random_.below(6)});
    for (StreamId stream : node_.log->streams_to_move(2)) move(stream);
    std::uint64_t what = random_.below(10);
    if (what < 5) node_.log->flush(true);
    if (what == 6) node_.log->flush(false);
    if (what == 7) node_.log->mark_synced(random_.chance(50));
    for (std::uint64_t left = random_.below(5); left-- > 0;) node_.disk.run_one();
    REQUIRE_FALSE(node_.log->failed());
    for (auto& [name, item] : items_)
      if (item.position < node_.log->synced()) item.is_durable = true;
    most_files_ = std::max(most_files_, node_.log->file_count());
  }

  void drop_some(StreamId stream) {
    std::erase_if(items_, [&](const auto& entry) {
      return entry.second.stream == stream && random_.chance(80);
    });
    release(stream);
  }

  void move(StreamId stream) {
    for (auto& [name, item] : items_) {
      if (item.stream != stream || item.position >= node_.log->move_target()) continue;
      item.position = node_.append(stream.value, name);
      ++moves_;
    }
    release(stream);
  }

  void release(StreamId stream) {
    LogPosition oldest = node_.log->end();
    for (const auto& [name, item] : items_)
      if (item.stream == stream) oldest = std::min(oldest, item.position);
    node_.log->release(stream, oldest);
  }

  void check() {
    const Recovered& state = node_.recovered.state;
    CHECK(state.corrupt_places == 0);
    CHECK(std::ranges::is_sorted(node_.recovered.records, {}, &SeenRecord::position));
    std::map<std::string, LogPosition> found;
    for (const SeenRecord& record : node_.recovered.records) {
      CHECK(record.position < state.end);
      found[record.payload] = record.position;
    }
    std::map<std::string, Item> known = std::exchange(items_, {});
    for (auto& [name, item] : known) {
      auto copy = found.find(name);
      if (copy == found.end())
        CHECK_FALSE(item.is_durable);
      else
        items_[name] = {item.stream, copy->second, true};
    }
    for (StreamId stream : node_.log->streams()) release(stream);
  }

  base::Random random_;
  LogFixture node_;
  std::map<std::string, Item> items_;
  std::uint64_t last_name_ = 0;
  std::size_t moves_ = 0;
  std::size_t most_files_ = 0;
};

}  // namespace

TEST_CASE("crashes at any moment lose nothing that was durable and needed") {
  std::size_t moves = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    CrashRun run(seed);
    run.run(8);
    moves += run.moves();
    CHECK(run.most_files() < 30);
  }
  CHECK(moves > 1000);
}
