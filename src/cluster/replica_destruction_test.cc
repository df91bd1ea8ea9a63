#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <set>

#include "cluster/replica.h"
#include "storage/memory_disk.h"
#include "storage/recovery.h"

using namespace warren;
using namespace warren::cluster;

namespace {

constexpr storage::Log::Options small_log{.file_bytes = 2000, .max_live_files = 3, .salt = 9};
constexpr storage::SegmentStore::Options small_segments{
    .segment_bytes = 500, .read_bytes = 200, .salt = 9};

/// How often a test goes through its rounds: once, or as often as `make torture` says.
std::uint64_t times() {
  const char* wanted = std::getenv("WARREN_TORTURE");
  return wanted ? std::strtoull(wanted, nullptr, 10) : 1;
}

using Contents = std::map<MessageIndex, std::string>;

/// A queue that its node leads alone, over a disk in memory, with hardly any room.
struct Leader final : storage::DiskEvents {
  explicit Leader(std::shared_ptr<storage::MemoryFiles> files) : disk(std::move(files)) {
    log = std::make_unique<storage::Log>(disk, small_log);
    segments = std::make_unique<storage::SegmentStore>(disk, small_segments);
    REQUIRE(segments->find_files());
    replica = std::make_unique<Replica>(QueueId{1}, true, *log, *segments);
    auto recovered = storage::recover(
        disk, [&](storage::LogPosition position, storage::StreamId, std::uint8_t kind,
                  base::ByteView payload) { replica->recover(position, kind, payload); });
    REQUIRE(recovered.has_value());
    corrupt_places = recovered->corrupt_places;
    log->go_on(*recovered);
    std::set<storage::FileId> wanted;
    replica->finish_recovery(wanted);
    segments->remove_others(wanted);
    damage = replica->take_damage();
    replica->apply_all();
    disk.set_events(this);
  }
  void on_disk_done(storage::DiskToken token, base::Result<> result) override {
    if (!storage::SegmentStore::is_own(token)) return log->on_disk_done(token, std::move(result));
    auto event = segments->on_disk_done(token, std::move(result));
    if (event) replica->on_segment(std::move(*event));
  }
  void on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result) override {
    auto event = segments->on_disk_read(token, std::move(result));
    if (event) replica->on_segment(std::move(*event));
  }

  MessageIndex publish(std::string_view body, std::uint8_t priority = 0) {
    broker::Message message = broker::Message::make({"", "q", "", body, true, priority});
    replica->append_applied({Epoch{1}, replica->last().next(), Enqueued{{1}, {1}, message}});
    replica->queue().put(replica->last(), message, false);
    return replica->last();
  }
  void settle(MessageIndex index) {
    std::vector<MessageIndex> messages{index};
    replica->queue().remove(messages);
    replica->append_applied({Epoch{1}, replica->last().next(), Settled{messages}});
  }
  void turn(bool is_paging, bool sync) {
    bool wants_sync = replica->write();
    replica->compact();
    for (storage::StreamId stream : log->streams_to_move())
      if (Replica::is_queue_stream(stream)) replica->move(log->move_target());
    if (is_paging) replica->page_out(UINT64_MAX);
    log->flush(wants_sync || sync);
    replica->set_commit(std::max(replica->commit(), replica->acked()));
    replica->discard(replica->commit());
  }
  /// Until nothing is under way.
  void settle_down() {
    for (int i = 0; i < 20; ++i) {
      turn(false, true);
      disk.run_all();
    }
  }
  std::vector<broker::Queue::Outgoing> deliver_all() {
    broker::Subscription subscription;
    subscription.credit = 1000;
    REQUIRE(replica->queue().subscribe({1}, subscription));
    std::vector<broker::Queue::Outgoing> out;
    for (int i = 0; i < 100; ++i) {
      replica->queue().deliver(replica->last(), 1000, out);
      replica->page_in();
      disk.run_all();
      replica->queue().remove(replica->take_lost());
    }
    CHECK(replica->queue().counts().ready == 0);
    return out;
  }
  Contents contents() {
    Contents contents;
    for (auto& [index, message] : replica->contents())
      contents[index] = message ? std::string(message.body()) : "unreadable";
    return contents;
  }

  storage::MemoryDisk disk;
  std::unique_ptr<storage::Log> log;
  std::unique_ptr<storage::SegmentStore> segments;
  std::unique_ptr<Replica> replica;
  std::vector<std::string> damage;
  std::uint64_t corrupt_places = 0;
};

/// What a queue that was used in peace for a while left on disk.
struct Recording {
  storage::MemoryFiles files;
  Contents contents;
  Contents ever;

  explicit Recording(std::uint64_t seed) {
    auto shared = std::make_shared<storage::MemoryFiles>();
    Leader leader(shared);
    base::Random random(seed);
    for (int i = 0; i < 60; ++i) {
      for (std::uint64_t left = random.below(4); left-- > 0;) {
        std::string body = fmt::format("{}{}", i, std::string(random.below(90), '.'));
        MessageIndex index = leader.publish(body);
        contents[index] = ever[index] = body;
      }
      while (!contents.empty() && random.chance(45)) {
        auto some = std::next(contents.begin(), static_cast<int>(random.below(contents.size())));
        leader.settle(some->first);
        contents.erase(some);
      }
      leader.turn(random.chance(40), random.chance(70));
      leader.disk.run_all();
    }
    leader.settle_down();
    leader.log->mark_synced(true);
    leader.disk.run_all();
    REQUIRE(leader.contents() == contents);
    files = *shared;
  }
};

/// Damages a copy of the files, starts over them and returns the leader.
template <typename Damage>
std::unique_ptr<Leader> start_over(const Recording& recording, Damage damage) {
  auto files = std::make_shared<storage::MemoryFiles>(recording.files);
  storage::MemoryDisk disk(files);
  damage(disk);
  return std::make_unique<Leader>(files);
}

/// Whatever is there was there; what is missing was said. Returns how many are missing.
std::size_t check_told(const Recording& recording, Leader& leader) {
  Contents found = leader.contents();
  std::size_t missing = 0;
  for (const auto& [index, body] : recording.contents)
    if (auto at = found.find(index); at == found.end() || at->second == "unreadable") ++missing;
  std::size_t unreadable = 0;
  for (const auto& [index, body] : found) {
    if (body == "unreadable")
      ++unreadable;
    else
      CHECK(recording.ever.at(index) == body);
  }
  if (missing > unreadable) CHECK((!leader.damage.empty() || leader.corrupt_places > 0));
  if (leader.damage.empty() && leader.corrupt_places == 0)
    CHECK(found.size() == recording.contents.size());
  return missing;
}

std::vector<storage::FileId> segments_of(const Recording& recording) {
  std::vector<storage::FileId> ids;
  for (const auto& [id, file] : recording.files.files)
    if (storage::is_segment(id)) ids.push_back(id);
  return ids;
}

}  // namespace

TEST_CASE("a queue over log and segments starts again as it was") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Recording recording(seed);
    auto leader = start_over(recording, [](storage::MemoryDisk&) {});
    CHECK(leader->damage.empty());
    CHECK(leader->contents() == recording.contents);
  }
}

TEST_CASE("a queue's segment cut at every byte costs only what is behind the cut, and says so") {
  Recording recording(1 + times());
  auto ids = segments_of(recording);
  REQUIRE(ids.size() > 2);
  for (storage::FileId id : ids) {
    std::size_t most_missing = SIZE_MAX;
    for (std::size_t cut = 0; cut < recording.files.files.at(id).durable.size(); ++cut) {
      auto leader = start_over(recording, [&](auto& disk) { disk.truncate(id, cut); });
      std::size_t missing = check_told(recording, *leader);
      CHECK(missing <= most_missing);
      most_missing = missing;
    }
  }
}

TEST_CASE("a bit flipped anywhere in log or segments costs little and is told") {
  for (std::uint64_t seed = 3; seed < 3 + times(); ++seed) {
    CAPTURE(seed);
    Recording recording(seed);
    base::Random random(seed);
    for (const auto& [id, file] : recording.files.files) {
      for (std::size_t offset = 0; offset < file.durable.size(); offset += 1 + random.below(3)) {
        CAPTURE(id.value);
        CAPTURE(offset);
        auto bit = static_cast<unsigned>(random.below(8));
        auto leader = start_over(recording, [&](auto& disk) { disk.flip_bit(id, offset, bit); });
        std::size_t missing = check_told(recording, *leader);
        if (storage::is_segment(id)) CHECK(missing <= 1);
      }
    }
  }
}

TEST_CASE("a queue's last log file cut at every byte makes nothing up") {
  Recording recording(4);
  storage::FileId last;
  for (const auto& [id, file] : recording.files.files)
    if (!storage::is_segment(id)) last = id;
  for (std::size_t cut = 0; cut < recording.files.files.at(last).durable.size(); ++cut) {
    auto leader = start_over(recording, [&](auto& disk) { disk.truncate(last, cut); });
    for (const auto& [index, body] : leader->contents())
      if (body != "unreadable") CHECK(recording.ever.at(index) == body);
  }
}

TEST_CASE("a lost segment is told and the rest is delivered") {
  Recording recording(5);
  for (storage::FileId id : segments_of(recording)) {
    auto leader = start_over(recording, [&](auto& disk) { disk.files()->files.erase(id); });
    check_told(recording, *leader);
    leader->settle_down();
    auto out = leader->deliver_all();
    CHECK(out.size() <= recording.contents.size());
    for (const auto& item : out) CHECK(recording.ever.at(item.index) == item.message.body());
  }
}

TEST_CASE("the urgent go first wherever they are, and after a restart") {
  for (bool is_restarted : {false, true}) {
    auto files = std::make_shared<storage::MemoryFiles>();
    auto leader = std::make_unique<Leader>(files);
    leader->replica->queue().set_max_priority(3);
    base::Random random(6);
    std::vector<std::pair<int, MessageIndex>> expected;
    for (int i = 0; i < 90; ++i) {
      auto priority = static_cast<std::uint8_t>(random.below(6));
      MessageIndex index = leader->publish(std::string(random.below(60), 'x'), priority);
      expected.emplace_back(-std::min<int>(priority, 3), index);
      leader->turn(i < 60, true);
      leader->disk.run_all();
    }
    leader->settle_down();
    if (is_restarted) {
      leader = std::make_unique<Leader>(files);
      leader->replica->queue().set_max_priority(3);
    }
    std::ranges::sort(expected);
    auto out = leader->deliver_all();
    REQUIRE(out.size() == expected.size());
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i].index == expected[i].second);
  }
}

TEST_CASE("what was read again for its priority's sake is let go when memory is short") {
  Leader leader(std::make_shared<storage::MemoryFiles>());
  leader.replica->queue().set_max_priority(1);
  for (int i = 0; i < 60; ++i) leader.publish(std::string(50, 'x'), i % 2 == 0 ? 1 : 0);
  for (int i = 0; i < 20; ++i) {
    leader.turn(true, true);
    leader.disk.run_all();
  }
  CHECK(leader.replica->queue().resident_bytes() == 0);
  broker::Subscription subscription;
  subscription.credit = 30;
  REQUIRE(leader.replica->queue().subscribe({1}, subscription));
  std::vector<broker::Queue::Outgoing> out;
  for (int i = 0; i < 60; ++i) {
    leader.replica->queue().deliver(leader.replica->last(), 10, out);
    leader.replica->page_in();
    leader.disk.run_all();
  }
  CHECK(out.size() == 30);
  leader.replica->queue().drop_channel({1});
  leader.replica->page_out(UINT64_MAX);
  CHECK(leader.replica->queue().resident_bytes() == 0);
}

TEST_CASE("crashes while messages are paged lose nothing that was confirmed") {
  for (std::uint64_t seed = 1; seed <= 60 * times(); ++seed) {
    CAPTURE(seed);
    base::Random random(seed);
    auto files = std::make_shared<storage::MemoryFiles>();
    Contents must, ever;
    std::map<MessageIndex, std::string> unconfirmed;
    for (int life = 0; life < 6; ++life) {
      Leader leader(files);
      CHECK(leader.damage.empty());
      Contents found = leader.contents();
      for (const auto& [index, body] : must) CHECK(found[index] == body);
      for (const auto& [index, body] : found) CHECK(ever[index] == body);
      must = found;
      unconfirmed.clear();
      for (std::uint64_t turns = random.below(60); turns-- > 0;) {
        for (std::uint64_t left = random.below(4); left-- > 0;) {
          std::string padding(random.below(90), '.');
          std::string body = fmt::format("{}.{}{}", life, turns, padding);
          MessageIndex index = leader.publish(body);
          ever[index] = unconfirmed[index] = body;
        }
        while (!must.empty() && random.chance(40)) {
          auto some = std::next(must.begin(), static_cast<int>(random.below(must.size())));
          leader.settle(some->first);
          must.erase(some);
        }
        leader.turn(random.chance(40), random.chance(30));
        for (std::uint64_t left = random.below(8); left-- > 0;) leader.disk.run_one();
        MessageIndex acked = leader.replica->acked();
        while (!unconfirmed.empty() && unconfirmed.begin()->first <= acked)
          must.insert(unconfirmed.extract(unconfirmed.begin()));
      }
      leader.disk.set_events(nullptr);
      if (random.chance(30))
        leader.disk.kill(random);
      else
        leader.disk.crash(random);
    }
  }
}
