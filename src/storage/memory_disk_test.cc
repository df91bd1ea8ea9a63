#include "storage/memory_disk.h"

#include <doctest/doctest.h>

#include <set>

using namespace warren;
using namespace warren::storage;

namespace {

struct Answers : DiskEvents {
  void on_disk_done(DiskToken token, base::Result<> result) override {
    tokens.push_back(token.value);
    failures += result ? 0 : 1;
  }
  std::vector<std::uint64_t> tokens;
  int failures = 0;
};

constexpr FileId file{1};

}  // namespace

TEST_CASE("requests are answered in order and not before they are run") {
  MemoryDisk disk;
  disk.files()->growth_step = 1;
  Answers answers;
  disk.set_events(&answers);
  disk.write(file, 0, "abc", false, DiskToken{1});
  disk.write(file, 5, "z", true, DiskToken{2});
  disk.remove(FileId{9}, DiskToken{3});
  CHECK(answers.tokens.empty());
  CHECK(disk.run_one());
  CHECK(answers.tokens == std::vector<std::uint64_t>{1});
  disk.run_all();
  CHECK(answers.tokens == std::vector<std::uint64_t>{1, 2, 3});
  CHECK_FALSE(disk.run_one());
  CHECK(*disk.read(file) == base::Bytes("abc\0\0z", 6));
  CHECK(disk.size(file) == 6);
  CHECK_FALSE(disk.read(FileId{2}).has_value());
}

TEST_CASE("a crash keeps what was synced and may lose, cut or keep what was not") {
  std::set<base::Bytes> outcomes;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    MemoryDisk disk;
    disk.write(file, 0, "durable.", true, DiskToken{1});
    disk.write(file, 8, "AA", false, DiskToken{2});
    disk.write(file, 10, "BB", false, DiskToken{3});
    disk.run_all();
    base::Random random(seed);
    disk.crash(random);
    MemoryDisk restarted(disk.files());
    outcomes.insert(restarted.read(file)->substr(8));
    CHECK(restarted.read(file)->starts_with("durable."));
  }
  using namespace std::string_literals;
  CHECK(outcomes.contains(""));
  CHECK(outcomes.contains("AABB"));
  CHECK(outcomes.contains("A"));
  CHECK(outcomes.contains("\0\0BB"s));
  CHECK(outcomes.contains("A\0BB"s));
}

TEST_CASE("a file of the log grows ahead of its records, and a crash may leave the growth alone") {
  std::set<std::uint64_t> sizes;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk;
    disk.files()->growth_step = 100;
    disk.write(file, 0, "header", true, DiskToken{1});
    disk.write(FileId{segment_files + 1}, 6, "segment", true, DiskToken{2});
    disk.run_all();
    CHECK(disk.size(file) == 6);
    CHECK(disk.size(FileId{segment_files + 1}) == 13);
    disk.write(file, 6, "record", false, DiskToken{3});
    disk.run_all();
    CHECK(disk.size(file) == 100);
    base::Bytes loaded;
    REQUIRE(disk.load(file, 0, 200, loaded).has_value());
    CHECK(loaded.size() == 100);
    base::Random random(seed);
    disk.crash(random);
    sizes.insert(disk.size(file));
    CHECK((disk.size(file) <= 12 || disk.size(file) == 100));
  }
  CHECK(sizes.contains(100));
  CHECK(sizes.contains(6));
}

TEST_CASE("a crash may undo a creation and a removal, a sync of a new file settles both") {
  std::set<std::size_t> counts;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk;
    base::Random random(seed);
    disk.write(file, 0, "x", true, DiskToken{1});
    disk.write(FileId{2}, 0, "y", false, DiskToken{2});
    disk.remove(file, DiskToken{3});
    disk.run_all();
    if (seed % 2 == 0) {
      disk.write(FileId{3}, 0, "z", true, DiskToken{4});
      disk.run_all();
      disk.crash(random);
      CHECK(disk.size(file) == 0);
    } else {
      disk.crash(random);
      counts.insert(disk.list()->size());
    }
  }
  CHECK(counts == std::set<std::size_t>{0, 1, 2});
}

TEST_CASE("after an injected failure every request fails until the crash") {
  MemoryDisk disk;
  Answers answers;
  disk.set_events(&answers);
  disk.fail_after(1, {base::ErrorCode::io, "broken"});
  for (std::uint64_t i = 1; i <= 3; ++i) disk.write(file, i - 1, "x", false, DiskToken{i});
  disk.run_all();
  CHECK(answers.failures == 2);
  CHECK(disk.size(file) == 1);
  base::Random random(1);
  disk.crash(random);
  disk.write(file, 0, "x", true, DiskToken{4});
  disk.run_all();
  CHECK(answers.failures == 2);
}
