#include "cluster/replica.h"

#include <doctest/doctest.h>

#include "storage/memory_disk.h"
#include "storage/recovery.h"

using namespace warren;
using namespace warren::cluster;

namespace {

const QueueId queue{1};

broker::Message message(std::string_view body, bool persistent = true) {
  return broker::Message::make({"", "q", "", body, persistent, 0});
}

/// A replica over a disk in memory, which can be written and read again.
struct Copy {
  explicit Copy(
      std::shared_ptr<storage::MemoryFiles> files = std::make_shared<storage::MemoryFiles>())
      : disk(std::move(files)) {
    auto recovered = storage::recover(disk, [](auto&&...) {});
    log = std::make_unique<storage::Log>(disk, storage::Log::Options{}, *recovered);
    disk.set_events(log.get());
    segments = std::make_unique<storage::SegmentStore>(disk, storage::SegmentStore::Options{});
    REQUIRE(segments->find_files());
    replica = std::make_unique<Replica>(queue, true, *log, *segments);
    auto again = storage::recover(
        disk, [&](storage::LogPosition position, storage::StreamId, std::uint8_t kind,
                  base::ByteView payload) { replica->recover(position, kind, payload); });
    REQUIRE(again.has_value());
    std::set<storage::FileId> wanted;
    replica->finish_recovery(wanted);
  }
  void enqueue(std::uint64_t index, broker::Message what, std::uint64_t epoch = 1) {
    replica->append({Epoch{epoch}, {index}, Enqueued{{1}, {index}, std::move(what)}});
  }
  void settle(std::uint64_t index, std::uint64_t settled) {
    replica->append({Epoch{1}, {index}, Settled{{MessageIndex{settled}}}});
  }
  void sync() {
    log->flush(replica->write());
    disk.run_all();
    log->flush(true);
    disk.run_all();
  }
  std::vector<std::string> bodies() {
    std::vector<std::string> bodies;
    replica->queue().for_each_message({}, [&](MessageIndex, const broker::Message& each) {
      bodies.emplace_back(each.body());
      return true;
    });
    return bodies;
  }

  storage::MemoryDisk disk;
  std::unique_ptr<storage::Log> log;
  std::unique_ptr<storage::SegmentStore> segments;
  std::unique_ptr<Replica> replica;
};

using Bodies = std::vector<std::string>;

}  // namespace

TEST_CASE("a follower applies what is committed and keeps the rest as a tail") {
  Copy copy;
  copy.enqueue(1, message("a"));
  copy.enqueue(2, message("b"));
  copy.settle(3, 1);
  CHECK(copy.bodies().empty());
  copy.replica->apply_committed({2});
  CHECK(copy.bodies() == Bodies{"a", "b"});
  copy.replica->apply_committed({3});
  CHECK(copy.bodies() == Bodies{"b"});
}

TEST_CASE("persistent entries are acknowledged when they are synced, not before") {
  Copy copy;
  copy.enqueue(1, message("a"));
  CHECK(copy.replica->write());
  CHECK(copy.replica->acked() == MessageIndex{0});
  copy.log->flush(true);
  copy.disk.run_all();
  CHECK(copy.replica->acked() == MessageIndex{1});
}

TEST_CASE("a restart brings back messages and tail, and a cut takes only the tail") {
  auto files = std::make_shared<storage::MemoryFiles>();
  {
    Copy copy(files);
    copy.enqueue(1, message("a"));
    copy.enqueue(2, message("gone with the process", false));
    copy.replica->apply_committed({2});
    copy.enqueue(3, message("b"));
    copy.enqueue(4, message("c"), 2);
    copy.sync();
  }
  Copy copy(files);
  CHECK(copy.bodies() == Bodies{"a"});
  CHECK(copy.replica->last() == MessageIndex{4});
  REQUIRE(copy.replica->epochs().size() == 2);
  copy.replica->cut({3});
  CHECK(copy.replica->last() == MessageIndex{3});
  copy.replica->apply_all();
  CHECK(copy.bodies() == Bodies{"a", "b"});
}

TEST_CASE("a snapshot that was cut off leaves a copy that says so") {
  auto files = std::make_shared<storage::MemoryFiles>();
  {
    Copy copy(files);
    copy.enqueue(1, message("old"));
    copy.replica->apply_committed({1});
    copy.sync();
    copy.replica->start_snapshot();
    copy.replica->add_snapshot({{{5}, message("new")}});
    copy.sync();
    CHECK_FALSE(copy.replica->is_usable());
  }
  Copy copy(files);
  CHECK_FALSE(copy.replica->is_usable());
  copy.replica->start_snapshot();
  copy.replica->add_snapshot({{{5}, message("new")}});
  copy.replica->finish_snapshot({queue, {3}, {7}, {{{3}, {1}}}, {}, {}, {}});
  copy.sync();
  Copy again(files);
  CHECK(again.replica->is_usable());
  CHECK(again.bodies() == Bodies{"new"});
  CHECK(again.replica->last() == MessageIndex{7});
}

TEST_CASE("records that are moved are found once, with what was settled gone") {
  auto files = std::make_shared<storage::MemoryFiles>();
  {
    Copy copy(files);
    for (std::uint64_t index = 1; index <= 20; ++index)
      copy.enqueue(index, message("m" + std::to_string(index)));
    copy.settle(21, 4);
    copy.replica->apply_committed({21});
    copy.enqueue(22, message("tail"));
    copy.sync();
    copy.replica->move(copy.log->end());
    copy.sync();
  }
  Copy copy(files);
  Bodies bodies = copy.bodies();
  CHECK(bodies.size() == 19);
  CHECK(std::find(bodies.begin(), bodies.end(), "m4") == bodies.end());
  CHECK(copy.replica->last() == MessageIndex{22});
}

TEST_CASE("a restart knows when messages came in") {
  auto files = std::make_shared<storage::MemoryFiles>();
  std::vector<broker::TimeMark> marks{{{1}, 1000, 50, false}, {{3}, 2000, {}, true}};
  {
    Copy copy(files);
    copy.replica->append({Epoch{1}, {1}, Dated{1000, 50, false}});
    copy.enqueue(2, message("a"));
    copy.replica->append({Epoch{1}, {3}, Dated{2000, {}, true}});
    copy.enqueue(4, message("b"));
    copy.replica->apply_committed({4});
    copy.enqueue(5, message("shows what is committed"));
    copy.sync();
    CHECK(copy.replica->queue().times() == marks);
  }
  {
    Copy copy(files);
    CHECK(copy.replica->queue().times() == marks);
    // What is written anew at the log's end says it all again.
    copy.replica->move(copy.log->end());
    copy.sync();
  }
  Copy copy(files);
  CHECK(copy.replica->queue().times() == marks);
}

TEST_CASE("a snapshot tells when messages came in, and what was refused") {
  Copy copy;
  copy.replica->append({Epoch{1}, {1}, Dated{7, 1, false}});
  copy.replica->apply_committed({1});
  copy.replica->start_snapshot();
  CHECK(copy.replica->queue().times().empty());
  copy.replica->add_snapshot({{{2}, message("a")}});
  SnapshotEnd end;
  end.last = MessageIndex{2};
  end.dates = {{{1}, {1000, 50, false}}};
  end.producers = {{{9}, {5}}};
  end.refusals = {{{9}, {4}}};
  copy.replica->finish_snapshot(end);
  CHECK(copy.replica->queue().times() ==
        std::vector<broker::TimeMark>{{{1}, 1000, 50, false}});
  CHECK(copy.replica->producers().refused_up_to({9}) == broker::PublishSeq{4});
}
