#include "cluster/replica_pages.h"

#include <doctest/doctest.h>

#include "storage/memory_disk.h"

using namespace warren;
using namespace warren::cluster;

namespace {

/// Pages of a queue that holds messages 1 to 3, over a disk in memory.
struct Paged final : storage::DiskEvents {
  Paged() {
    disk.set_events(this);
    for (std::uint64_t index = 1; index <= 3; ++index)
      queue.put({index}, broker::Message::make({"", "q", "", "body", true, 0}), false);
  }
  void on_disk_done(storage::DiskToken token, base::Result<> result) override {
    if (auto event = segments.on_disk_done(token, std::move(result)))
      pages.on_event(std::move(*event));
  }
  void on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) override {
    if (auto event = segments.on_disk_read(token, std::move(result)))
      pages.on_event(std::move(*event));
  }
  void store(std::uint64_t up_to) {
    pages.store({up_to});
    disk.run_all();
  }
  bool gets_a_message() {
    if (queue.get({1}, true, {3})) return true;
    pages.read_ahead(false);
    disk.run_all();
    return queue.get({1}, true, {3}).has_value();
  }

  storage::MemoryDisk disk{std::make_shared<storage::MemoryFiles>()};
  storage::SegmentStore segments{disk, storage::SegmentStore::Options{}};
  broker::Queue queue;
  ReplicaPages pages{{17}, true, segments, queue};
};

}  // namespace

TEST_CASE("a full disk keeps messages in memory, and what it holds already is read") {
  Paged paged;
  paged.store(2);
  REQUIRE(paged.pages.stored() == MessageIndex{2});
  paged.disk.set_full(true);
  paged.store(3);
  CHECK(paged.pages.is_refused());
  CHECK(paged.pages.stored() == MessageIndex{2});
  CHECK(paged.queue.resident_bytes() > 0);
  for (int i = 0; i < 3; ++i) CHECK(paged.gets_a_message());
}

TEST_CASE("segments are written again when there is room") {
  Paged paged;
  paged.disk.set_full(true);
  paged.store(3);
  REQUIRE(paged.pages.is_refused());
  paged.disk.set_full(false);
  paged.pages.retry();
  paged.store(3);
  CHECK(paged.pages.stored() == MessageIndex{3});
  CHECK(paged.queue.resident_bytes() == 0);
}

TEST_CASE("what a channel holds leaves memory with what was read beside it") {
  Paged paged;
  const broker::ChannelId channel{1};
  std::vector<broker::Queue::Outgoing> outgoing;
  broker::Subscription subscription;
  subscription.consumer_tag = "c";
  subscription.credit = 5;
  REQUIRE(paged.queue.subscribe(channel, subscription));
  paged.queue.deliver({5}, 1, outgoing);
  // The first is in the channel's hands, the others go soon.
  paged.store(3);
  paged.queue.deliver({5}, 2, outgoing);
  paged.queue.unsubscribe(channel, "c");
  for (std::uint64_t index = 4; index <= 5; ++index)
    paged.queue.put({index}, broker::Message::make({"", "q", "", "body", true, 0}), false);
  paged.store(5);
  REQUIRE(paged.queue.subscribe(channel, subscription));
  paged.queue.deliver({5}, 5, outgoing);
  paged.pages.read_ahead(true);
  paged.disk.run_all();
  paged.queue.deliver({5}, 5, outgoing);
  CHECK(outgoing.size() == 5);
  CHECK(paged.queue.counts().unacknowledged == 5);
  CHECK(paged.queue.resident_bytes() == 0);
}
