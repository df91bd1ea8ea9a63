#include "storage/log.h"

#include <algorithm>

#include "storage/log_fixture.h"

using namespace warren;
using namespace warren::storage;
using Payloads = std::vector<std::string>;

namespace {

constexpr Log::Options small_files{.file_bytes = 1024, .max_live_files = 3, .salt = 0};

std::vector<StreamId> ids(std::initializer_list<std::uint64_t> values) {
  std::vector<StreamId> result;
  for (std::uint64_t value : values) result.push_back(StreamId{value});
  return result;
}

}  // namespace

TEST_CASE("records come back in order with stream, kind and position") {
  LogFixture node;
  std::vector<base::ByteView> parts{"he", "", "llo"};
  LogPosition first = node.log->append(StreamId{1}, 3, parts);
  LogPosition second = node.log->append(StreamId{900}, 255, base::ByteView{});
  CHECK(first < second);
  CHECK(second < node.log->end());
  node.log->flush(true);
  CHECK(node.log->synced() <= first);
  node.disk.run_all();
  CHECK(node.log->synced() == node.log->end());
  node.start();
  CHECK(node.recovered.records == std::vector<SeenRecord>{{first, StreamId{1}, 3, "hello"},
                                                          {second, StreamId{900}, 255, ""}});
  CHECK(node.recovered.state.corruption.empty());
  CHECK_FALSE(node.recovered.state.torn_tail);
}

TEST_CASE("an empty directory is an empty log") {
  LogFixture node;
  CHECK(node.recovered.records.empty());
  CHECK(node.log->is_idle());
  node.log->flush(true);
  node.log->mark_synced(true);
  CHECK(node.disk.pending() == 0);
}

TEST_CASE("what is appended while a sync runs goes out in one write and one sync") {
  LogFixture node;
  node.store(1, "opens the file");
  auto before = node.disk.counts();
  node.append(1, "a");
  node.log->flush(true);
  for (int turn = 0; turn < 100; ++turn) {
    node.append(1, "b");
    node.append(2, "c");
    node.log->flush(true);
  }
  CHECK(node.disk.pending() == 1);
  node.disk.run_all();
  CHECK(node.disk.counts().writes - before.writes == 2);
  CHECK(node.disk.counts().syncs - before.syncs == 2);
  CHECK(node.log->synced() == node.log->end());
}

TEST_CASE("a turn is one write; without sync it is written and not synced") {
  LogFixture node;
  node.store(1, "opens the file");
  auto before = node.disk.counts();
  for (int i = 0; i < 10; ++i) node.append(1, "x");
  CHECK(node.disk.pending() == 0);
  node.log->flush(false);
  node.disk.run_all();
  CHECK(node.disk.counts().writes - before.writes == 1);
  CHECK(node.disk.counts().syncs == before.syncs);
  CHECK(node.log->written() == node.log->end());
  CHECK(node.log->synced() < node.log->end());
  node.log->flush(true);
  node.disk.run_all();
  CHECK(node.disk.counts().writes - before.writes == 1);
  CHECK(node.log->synced() == node.log->end());
  node.log->flush(true);
  CHECK(node.disk.pending() == 0);
}

TEST_CASE("the log is idle when the disk has written everything") {
  LogFixture node;
  CHECK(node.log->is_idle());
  node.append(1, std::string(1000, 'x'));
  CHECK_FALSE(node.log->is_idle());
  node.log->flush(false);
  CHECK_FALSE(node.log->is_idle());
  node.disk.run_all();
  CHECK(node.log->is_idle());
}

TEST_CASE("a full file is followed by the next one, within one turn as well") {
  LogFixture node(small_files);
  node.disk.files()->growth_step = 1;
  Payloads expected;
  for (int i = 0; i < 30; ++i) {
    expected.push_back(std::string(100, static_cast<char>('a' + i % 26)));
    node.append(1, expected.back());
  }
  node.log->flush(true);
  node.disk.run_all();
  CHECK(node.log->file_count() > 3);
  CHECK(node.log->synced() == node.log->end());
  auto files = node.disk.list();
  for (FileId id : *files) CHECK(node.disk.size(id) <= 1024);
  node.start();
  CHECK(node.payloads() == expected);
}

TEST_CASE("a record larger than a file has one of its own") {
  LogFixture node(small_files);
  std::string large(5000, 'L');
  node.store(1, "before");
  node.store(1, large);
  node.store(1, "after");
  CHECK(node.log->file_count() == 3);
  node.start();
  CHECK(node.payloads() == Payloads{"before", large, "after"});
}

TEST_CASE("files go when nobody needs them, oldest first") {
  LogFixture node(small_files);
  LogPosition kept{};
  for (int i = 0; i < 20; ++i) {
    LogPosition position = node.store(3, std::string(200, 'x'));
    if (i == 10) kept = position;
  }
  std::size_t files = node.log->file_count();
  node.log->release(StreamId{3}, kept);
  CHECK(node.log->file_count() == files);
  node.log->flush(true);
  node.disk.run_all();
  CHECK(node.log->file_count() < files);
  // One is kept for the next to begin over.
  CHECK(node.disk.list()->size() == node.log->file_count() + 1);
  node.start();
  CHECK(node.recovered.state.corruption.empty());
  CHECK(node.recovered.records.front().position <= kept);
  node.log->forget(StreamId{3});
  CHECK(node.log->streams().empty());
  node.store(4, "new");
  node.store(4, "newer");
  node.log->mark_synced(true);
  node.disk.run_all();
  CHECK(node.disk.list()->size() == 2);
}

TEST_CASE("files go without further records when flush is called in silence") {
  LogFixture node(small_files);
  for (int i = 0; i < 10; ++i) node.store(3, std::string(200, 'x'));
  node.log->forget(StreamId{3});
  for (int turn = 0; turn < 4; ++turn) {
    node.log->flush(true);
    node.disk.run_all();
  }
  CHECK(node.log->file_count() == 1);
  CHECK(node.disk.pending() == 0);
  auto before = node.disk.counts();
  node.log->flush(true);
  node.disk.run_all();
  CHECK(node.disk.counts().writes == before.writes);
}

TEST_CASE("a file stays until the copy of what was needed from it is durable") {
  LogFixture node(small_files);
  node.store(5, "precious");
  for (int i = 0; i < 10; ++i) node.store(6, std::string(200, 'x'));
  node.log->forget(StreamId{6});
  LogPosition copy = node.append(5, "precious");
  node.log->release(StreamId{5}, copy);
  base::Random random(1);
  for (int step = 0;; ++step) {
    // Power fails after `step` requests; the precious record must be there each time.
    LogFixture other(small_files);
    *other.disk.files() = *node.disk.files();
    other.disk.crash(random);
    other.start();
    auto payloads = other.payloads();
    CHECK(std::ranges::count(payloads, "precious") >= 1);
    CHECK(other.recovered.state.corruption.empty());
    node.log->flush(true);
    if (!node.disk.run_one() && step > 20) break;
  }
  CHECK(node.log->file_count() == 1);
}

TEST_CASE("with too many files the streams that pin the oldest are named") {
  LogFixture node(small_files);
  node.store(9, "old");
  node.store(8, "old too");
  CHECK(node.log->streams_to_move().empty());
  while (node.log->file_count() < 4) node.store(7, std::string(300, 'x'));
  CHECK(node.log->streams_to_move() == ids({7, 8, 9}));
  CHECK(node.log->streams_to_move(1) == ids({7}));
  node.log->release(StreamId{7}, node.log->end());
  CHECK(node.log->streams_to_move() == ids({8, 9}));
  node.log->release(StreamId{9}, node.append(9, "old"));
  CHECK(node.log->streams_to_move() == ids({8}));
  CHECK(node.log->move_target() > LogPosition{});
  node.log->release(StreamId{8}, node.append(8, "old too"));
  CHECK(node.log->streams_to_move().empty());
  for (int turn = 0; turn < 4; ++turn) {
    node.log->flush(true);
    node.disk.run_all();
  }
  CHECK(node.log->file_count() <= 3);
}

TEST_CASE("a log with more live bytes than its files hold grows and does not copy for ever") {
  LogFixture node(small_files);
  struct Live {
    LogPosition position;
    std::uint64_t stream;
  };
  std::vector<Live> live;
  std::uint64_t appended = 0;
  auto store = [&](std::uint64_t stream) {
    appended += 1;
    return node.append(stream, std::string(100, 'm'));
  };
  for (std::uint64_t stream = 10; stream < 70; ++stream) live.push_back({store(stream), stream});
  std::uint64_t fresh = 600;
  for (std::uint64_t i = 0; i < fresh; ++i) {
    node.log->release(StreamId{5}, store(5));
    for (StreamId stream : node.log->streams_to_move()) {
      auto entry = std::ranges::find(live, stream.value, &Live::stream);
      if (entry == live.end()) continue;
      entry->position = store(stream.value);
      node.log->release(stream, entry->position);
    }
    node.log->flush(true);
    node.disk.run_all();
  }
  CHECK(appended < 4 * fresh);
  CHECK(node.log->disk_bytes() < 60 * 150 * 5);
  node.start();
  for (const Live& entry : live)
    CHECK(node.recovered.state.last_records.at(StreamId{entry.stream}) == entry.position);
}

TEST_CASE("the first disk error is final") {
  LogFixture node;
  node.store(1, "good");
  LogPosition synced = node.log->synced();
  node.disk.fail_after(0, {base::ErrorCode::io, "no space left"});
  node.append(1, "lost");
  node.log->flush(true);
  node.append(1, "lost too");
  node.log->flush(true);
  node.disk.run_all();
  REQUIRE(node.log->failed());
  CHECK(node.log->failed()->text == "no space left");
  node.append(1, "ignored");
  node.log->flush(true);
  node.log->mark_synced(true);
  CHECK(node.disk.pending() == 0);
  CHECK(node.log->synced() == synced);
  CHECK(node.log->is_idle());
}

TEST_CASE("a frugal log keeps one file where it may, and no spare") {
  LogFixture node({.file_bytes = 1000, .max_live_files = 4, .salt = 1});
  LogPosition kept = node.store(1, std::string(500, 'x'));
  for (int i = 0; i < 2; ++i) node.store(2, std::string(900, 'y'));
  REQUIRE(node.log->file_count() == 3);
  CHECK(node.log->streams_to_move().empty());
  node.log->set_frugal(true);
  CHECK(node.log->streams_to_move() == std::vector<StreamId>{StreamId{1}});
  CHECK(node.log->move_target() > kept);
  node.log->forget(StreamId{1});
  node.log->forget(StreamId{2});
  for (int i = 0; i < 3; ++i) node.store(2, "z");
  CHECK(node.log->file_count() == 1);
  CHECK(node.disk.list()->size() == 1);
}

TEST_CASE("a disk that answers out of order is an error") {
  LogFixture node;
  node.append(1, "x");
  node.log->flush(true);
  node.log->on_disk_done(DiskToken{77}, {});
  REQUIRE(node.log->failed());
  CHECK(node.log->failed()->code == base::ErrorCode::internal);
}

TEST_CASE("a mark in silence is written once") {
  LogFixture node;
  node.store(1, "x");
  auto before = node.disk.counts();
  for (int i = 0; i < 5; ++i) {
    node.log->mark_synced(false);
    node.disk.run_all();
  }
  CHECK(node.disk.counts().writes - before.writes == 1);
  CHECK(node.disk.counts().syncs == before.syncs);
  node.start();
  CHECK(node.recovered.state.synced_mark > node.recovered.records.back().position);
}
