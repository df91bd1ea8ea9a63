#include "cluster/metadata.h"

#include <doctest/doctest.h>

#include "raft/entry.h"
#include "storage/memory_disk.h"
#include "storage/recovery.h"

using namespace warren;
using namespace warren::cluster;
using namespace std::chrono_literals;

namespace {

/// The catalog of one node, over a disk in memory; what it sends stays here until it is fetched.
struct Member final : base::Clock {
  Member(const NodeName& name, raft::PersistentState state) : name(name) {
    Metadata::Events events;
    events.send = [this](const NodeName&, LinkMessage message) {
      sent.push_back(std::move(message));
    };
    events.is_linked = [](const NodeName&) { return true; };
    events.changed = [](const auto&) {};
    events.may_change_cluster = [] { return true; };
    events.replaced = events.reset = [] {};
    metadata = std::make_unique<Metadata>(name, log, *this, std::move(events));
    disk.set_events(&log);
    raft::Options options;
    options.self = name;
    REQUIRE(metadata->start(options, base::Random(1), std::move(state), incarnation));
    work();
  }
  void work() {
    metadata->tick();
    for (int i = 0; i < 5; ++i) {
      bool wants_sync = false;
      while (metadata->work(wants_sync)) continue;
      log.flush(true);
      disk.run_all();
      metadata->on_synced();
    }
  }
  base::Time now() const override { return time; }
  base::WallTime wall_time() const override { return {}; }
  void take(const NodeName& from, const LinkMessage& message) {
    if (const auto* frame = std::get_if<RaftFrame>(&message)) metadata->on_raft(from, *frame);
    if (const auto* propose = std::get_if<Propose>(&message))
      metadata->on_propose(from, incarnation, *propose);
  }

  NodeName name;
  catalog::Incarnation incarnation{1};
  base::Time time{1h};
  storage::MemoryDisk disk;
  base::Result<storage::Recovered> recovered = storage::recover(disk, [](auto&&...) {});
  storage::Log log{disk, {}, *recovered};
  std::vector<LinkMessage> sent;
  std::unique_ptr<Metadata> metadata;
};

/// Both hear what the other says until there is nothing more, and half a second has passed.
void exchange(Member& one, Member& other) {
  for (Member* each : {&one, &other}) each->time += 600ms;
  for (int i = 0; i < 20; ++i) {
    for (auto [from, to] : {std::pair(&one, &other), std::pair(&other, &one)}) {
      from->work();
      for (const LinkMessage& each : std::exchange(from->sent, {})) to->take(from->name, each);
      to->work();
    }
  }
}

}  // namespace

TEST_CASE("a proposal whose outcome comes with a snapshot is answered") {
  Member leader("a@h", raft::bootstrap("a@h"));
  Member behind("b@h", {});
  const catalog::Command command = catalog::PutVhost{{"there", {}, {}}};
  std::vector<base::ErrorCode> answers;
  behind.metadata->propose(command, base::never, [&](base::Result<catalog::Applied> result) {
    REQUIRE_FALSE(result.has_value());
    answers.push_back(result.error().code);
  });
  // The leader got it, and the log of what came of it is gone.
  leader.take("b@h", Propose{1, {catalog::encode_command(command)}});
  leader.work();
  leader.metadata->compact();
  leader.work();
  REQUIRE(leader.metadata->core().propose_configuration({{"a@h"}, {"b@h"}}));
  exchange(leader, behind);
  REQUIRE(behind.metadata->catalog().find_vhost("there"));
  for (int i = 0; i < 3; ++i) exchange(leader, behind);
  CHECK(answers == std::vector{base::ErrorCode::timeout});
}
