#include "server/file_disk.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <fstream>

#include "storage/log.h"
#include "storage/recovery.h"

using namespace warren;
using storage::DiskToken;
using storage::FileId;

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t step = 256 * 1024;
constexpr FileId segment{storage::segment_files + 1};

/// A disk over a folder of its own, whose shard runs until what is asked for has come.
struct DiskFixture : storage::DiskEvents {
  DiskFixture() {
    char pattern[] = "/tmp/warren-disk-XXXXXX";
    REQUIRE(::mkdtemp(pattern) != nullptr);
    folder = pattern;
    start();
  }
  ~DiskFixture() override {
    disk.reset();
    fs::remove_all(folder);
  }

  void start() { disk = std::move(server::FileDisk::open(shard, folder, *this)).value(); }

  void on_disk_done(DiskToken token, base::Result<> result) override {
    if (log) return log->on_disk_done(token, std::move(result));
    if (!result) failures.push_back(result.error().text);
    ++answers;
  }

  template <typename Done>
  void run_until(Done done) {
    shard.set_turn_end([&] {
      disk->flush();
      if (done()) shard.stop();
    });
    disk->flush();
    if (!done()) shard.run();
    shard.set_turn_end({});
  }
  void answer_all() {
    run_until([&] { return answers == requests; });
  }
  void write(FileId file, std::uint64_t offset, std::size_t bytes) {
    disk->write(file, offset, base::Bytes(bytes, 'x'), true, DiskToken{++requests});
    answer_all();
  }

  fs::path folder;
  net::Shard shard;
  std::unique_ptr<server::FileDisk> disk;
  storage::Log* log = nullptr;
  std::uint64_t requests = 0, answers = 0;
  std::vector<std::string> failures;
};

}  // namespace

TEST_CASE("a new file of the log is filled with zeros ahead of small batches") {
  DiskFixture node;
  node.write(FileId{1}, 0, 128);
  CHECK(node.disk->size(FileId{1}) == 128);
  node.write(FileId{1}, 128, 10);
  CHECK(node.disk->size(FileId{1}) == step);
  node.write(FileId{1}, 138, 10);
  CHECK(node.disk->size(FileId{1}) == step);
  base::Bytes bytes = node.disk->read(FileId{1}).value();
  CHECK(bytes.substr(0, 148) == base::Bytes(148, 'x'));
  CHECK(bytes.find_first_not_of('\0', 148) == base::Bytes::npos);
  node.write(FileId{1}, 148, step - 148);
  CHECK(node.disk->size(FileId{1}) == step);
  node.write(FileId{1}, step, 10);
  CHECK(node.disk->size(FileId{1}) == 2 * step);
  CHECK(node.failures.empty());
}

TEST_CASE("large batches and segments are as long as what was written") {
  DiskFixture node;
  node.write(FileId{1}, 0, 128);
  node.write(FileId{1}, 128, 2 * step);
  CHECK(node.disk->size(FileId{1}) == 128 + 2 * step);
  node.write(segment, 0, 10);
  node.write(segment, 10, 10);
  CHECK(node.disk->size(segment) == 20);
}

TEST_CASE("a file that is begun anew under another name keeps its length") {
  DiskFixture node;
  node.write(FileId{1}, 0, 128);
  node.write(FileId{1}, 128, 3 * step);
  node.disk->rename(FileId{1}, FileId{2}, DiskToken{++node.requests});
  node.write(FileId{2}, 0, 128);
  node.write(FileId{2}, 128, 10);
  CHECK(node.disk->list() == std::vector<FileId>{FileId{2}});
  CHECK(node.disk->size(FileId{2}) == 128 + 3 * step);
}

TEST_CASE("records come back from a file with zeros behind them, without a torn tail") {
  DiskFixture node;
  auto start = storage::recover(*node.disk, {}).value();
  storage::Log log(*node.disk, {.file_bytes = 1 << 20}, start);
  node.log = &log;
  for (std::size_t bytes : {10u, 1000u, 100'000u, 10u, 700'000u, 500'000u, 10u}) {
    log.append(storage::StreamId{1}, 7, base::Bytes(bytes, 'r'));
    log.flush(true);
    node.run_until([&] { return log.is_idle(); });
    REQUIRE_FALSE(log.failed());
  }
  node.log = nullptr;
  node.start();
  std::vector<std::size_t> sizes;
  auto recovered = storage::recover(*node.disk, [&](auto, auto, auto, base::ByteView payload) {
    sizes.push_back(payload.size());
    CHECK(payload.find_first_not_of('r') == base::ByteView::npos);
  });
  REQUIRE(recovered.has_value());
  CHECK(sizes == std::vector<std::size_t>{10, 1000, 100'000, 10, 700'000, 500'000, 10});
  CHECK_FALSE(recovered->torn_tail);
  CHECK(recovered->corruption.empty());
  CHECK(recovered->files.size() == 2);
}

TEST_CASE("only files of the log and segments are listed") {
  DiskFixture node;
  node.write(FileId{3}, 0, 10);
  node.write(segment, 0, 10);
  for (const char* name : {"reserve", "notes.log", "0000000000000000.log", "00000000000000001.log"})
    std::ofstream(node.folder / name) << "x";
  CHECK(node.disk->list() == std::vector<FileId>{FileId{3}, segment});
}

TEST_CASE("after a failure nothing more is written to the log, while segments go on") {
  DiskFixture node;
  node.write(FileId{1}, 0, 128);
  node.write(segment, 0, 10);
  fs::create_directory(node.folder / "0000000000000002.log");
  node.write(FileId{2}, 0, 128);
  REQUIRE(node.failures.size() == 1);
  CHECK(node.failures[0].find("cannot open") != std::string::npos);
  CHECK(node.failures[0].find("0000000000000002.log: Is a directory") != std::string::npos);
  node.write(FileId{1}, 128, 10);
  CHECK(node.failures == std::vector<std::string>(2, node.failures[0]));
  CHECK(node.disk->size(FileId{1}) == 128);
  node.write(segment, 10, 10);
  CHECK(node.failures.size() == 2);
  CHECK(node.disk->size(segment) == 20);
}
