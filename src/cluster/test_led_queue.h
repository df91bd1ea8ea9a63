#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/test_catalog.h"
#include "cluster/queue_leader.h"
#include "storage/memory_disk.h"
#include "storage/recovery.h"

namespace warren::cluster {

/// For tests: a queue with its leader, alone on one node, and the channels that it serves. What the
/// leader sends is kept.
struct LedQueue final : QueueContext {
  struct Times final : base::Clock {
    base::Time now() const override { return base::Time(std::chrono::hours(1) + passed); }
    base::WallTime wall_time() const override {
      return base::WallTime(std::chrono::years(50) + passed);
    }
    std::chrono::milliseconds passed{};
  };

  explicit LedQueue(base::FieldTable arguments = {}, bool auto_delete = false) {
    catalog::Queue queue;
    queue.name = {"/", "q"};
    queue.leader = "n@h";
    queue.arguments = std::move(arguments);
    queue.auto_delete = auto_delete;
    id = fixture.apply(catalog::DeclareQueue{queue}).queue;
    replica = std::make_unique<Replica>(id, false, log, segments);
    lead();
  }

  /// Another leader of the same log: its predecessor's channels have to attach again.
  void lead() {
    leader = std::make_unique<QueueLeader>(*this, *replica, record().epoch);
    for (ChannelId channel : replica->queue().channels()) replica->queue().drop_channel(channel);
    ++lease.value;
    is_first = true;
  }
  const catalog::Queue& record() const { return *fixture.catalog.find_queue(id); }
  void change(const catalog::Command& command) {
    fixture.apply(command);
    if (fixture.catalog.find_queue(id)) leader->on_catalog_changed();
    advance();
  }

  void ask(QueueRequest request) {
    leader->on_request("n@h", ToQueue{id, record().epoch, ChannelId{1}, lease,
                                      std::exchange(is_first, false), std::move(request)});
  }
  /// In one batch.
  void publish(std::uint64_t first, std::uint64_t last, const std::string& body = "body",
               std::optional<std::uint64_t> expiration_ms = {}) {
    PublishTo batch;
    for (std::uint64_t seq = first; seq <= last; ++seq)
      batch.publishes.push_back(
          {PublishSeq{seq}, broker::Message::make({"", "q", "", body, false, 0, expiration_ms})});
    ask(std::move(batch));
  }
  void consume(std::uint32_t credit, bool no_ack = true) {
    broker::Subscription subscription;
    subscription.consumer_tag = "c";
    subscription.no_ack = no_ack;
    subscription.credit = credit;
    ask(SubscribeTo{RequestId{1}, subscription});
  }
  void advance() {
    leader->advance();
    replica->write();
    leader->advance();
  }

  /// Time passes; the leader is woken when it asked for it, and not else.
  void pass(std::chrono::milliseconds duration) {
    const auto end = times.passed + duration;
    while (alarm <= base::Time(std::chrono::hours(1) + end)) {
      times.passed = std::max(times.passed, std::chrono::duration_cast<std::chrono::milliseconds>(
                                                alarm - base::Time(std::chrono::hours(1))));
      alarm = base::never;
      advance();
    }
    times.passed = end;
  }

  /// The numbers of what was confirmed, rejected or delivered since the last call.
  std::vector<std::uint64_t> confirmed() { return publishes_of<ConfirmedBy>(); }
  std::vector<std::uint64_t> rejected() { return publishes_of<RejectedBy>(); }
  std::vector<std::uint64_t> delivered() {
    std::vector<std::uint64_t> indexes;
    for (const DeliveredBy& part : take<DeliveredBy>())
      for (const DeliveredMessage& message : part.messages) indexes.push_back(message.index.value);
    return indexes;
  }
  std::uint64_t ready() const { return leader->counts().ready; }

  template <typename Event>
  std::vector<Event> take() {
    std::vector<Event> events;
    for (QueueEvent& each : std::exchange(sent, {}))
      if (Event* event = std::get_if<Event>(&each))
        events.push_back(std::move(*event));
      else
        sent.push_back(std::move(each));
    return events;
  }
  template <typename Event>
  std::vector<std::uint64_t> publishes_of() {
    std::vector<std::uint64_t> numbers;
    for (const Event& event : take<Event>())
      for (PublishSeq seq : event.publishes) numbers.push_back(seq.value);
    return numbers;
  }

  // QueueContext.
  const NodeName& self() const override { return name; }
  const catalog::Catalog& catalog() const override { return fixture.catalog; }
  void send(const NodeName&, LinkMessage message) override {
    if (auto* to = std::get_if<ToChannel>(&message)) sent.push_back(std::move(to->event));
  }
  bool is_linked(const NodeName&) const override { return true; }
  std::size_t link_backlog(const NodeName&) const override { return 0; }
  bool must_wait_for_memory(catalog::QueueId) override { return false; }
  const base::Clock& clock() const override { return times; }
  void wake(QueueId) override {}
  void wake_at(QueueId, base::Time at) override { alarm = std::min(alarm, at); }
  broker::Router& router() override { std::abort(); }
  Channels& channels() override { std::abort(); }
  void propose(const catalog::Command& command, Done done) override {
    proposed.push_back(command);
    proposers.push_back(std::move(done));
  }
  void catch_up(std::function<void()>) override { std::abort(); }
  /// Tells whoever proposed last that it was in vain.
  void refuse_proposal() {
    proposers.back()(base::fail(base::ErrorCode::unavailable, "no majority"));
    advance();
  }
  void remember(const catalog::ResourceName&, const broker::Message&) override { std::abort(); }

  Times times;
  base::Time alarm = base::never;
  NodeName name = "n@h";
  broker::CatalogFixture fixture;
  QueueId id;
  storage::MemoryDisk disk;
  base::Result<storage::Recovered> recovered = storage::recover(disk, [](auto&&...) {});
  storage::Log log{disk, {}, *recovered};
  storage::SegmentStore segments{disk, {}};
  std::unique_ptr<Replica> replica;
  std::unique_ptr<QueueLeader> leader;
  Lease lease;
  bool is_first = true;
  std::vector<QueueEvent> sent;
  std::vector<catalog::Command> proposed;
  std::vector<Done> proposers;
};

}  // namespace warren::cluster
