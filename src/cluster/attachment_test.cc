#include <doctest/doctest.h>

#include "broker/test_catalog.h"
#include "cluster/attachment.h"
#include "cluster/queue_leader.h"
#include "storage/memory_disk.h"
#include "storage/recovery.h"

using namespace warren;
using namespace warren::cluster;

namespace {

constexpr std::size_t body_bytes = 300 * 1024;
constexpr int messages = 40;
/// No batch is longer than this by more than one message.
constexpr std::size_t most_bytes = max_batch_bytes + body_bytes + 1024;

broker::Message large_message() {
  return broker::Message::make({"", "q", "", std::string(body_bytes, 'x'), false, 0});
}

/// A node with one queue that it leads; keeps what is sent.
struct Context final : QueueContext {
  Context() { queue = fixture.queue("q"); }

  const NodeName& self() const override { return name; }
  const catalog::Catalog& catalog() const override { return fixture.catalog; }
  void send(const NodeName&, LinkMessage message) override { sent.push_back(std::move(message)); }
  bool is_linked(const NodeName&) const override { return true; }
  std::size_t link_backlog(const NodeName&) const override { return 0; }
  bool must_wait_for_memory(catalog::QueueId) override { return false; }
  const base::Clock& clock() const override { std::abort(); }
  void wake(QueueId) override {}
  void wake_at(QueueId, base::Time) override {}
  broker::Router& router() override { std::abort(); }
  Channels& channels() override { std::abort(); }
  void remember(const catalog::ResourceName&, const broker::Message&) override { std::abort(); }
  void propose(const catalog::Command&, Done) override {}
  void catch_up(std::function<void()>) override { std::abort(); }

  std::size_t largest() {
    std::size_t largest = 0;
    for (LinkMessage& message : sent) {
      base::Bytes bytes;
      encode_link_message(bytes, message);
      largest = std::max(largest, bytes.size());
    }
    return largest;
  }

  NodeName name = "n@h";
  broker::CatalogFixture fixture;
  QueueId queue;
  std::vector<LinkMessage> sent;
};

/// A channel that is attached to the queue.
struct Attached {
  Attached() { refresh(base::Time{}); }
  void refresh(base::Time now) { attachment.refresh(lease, now, effects); }

  Context context;
  Attachment attachment{context, ChannelId{1}, context.queue};
  Attachment::Effects effects;
  Lease lease{1};
};

std::vector<std::uint64_t> published(const Context& context) {
  std::vector<std::uint64_t> numbers;
  for (const LinkMessage& message : context.sent) {
    const auto& request = std::get<ToQueue>(message).request;
    if (const auto* batch = std::get_if<PublishTo>(&request))
      for (const Publish& publish : batch->publishes) numbers.push_back(publish.seq.value);
  }
  return numbers;
}

std::vector<std::uint64_t> one_to(std::uint64_t last) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t number = 1; number <= last; ++number) numbers.push_back(number);
  return numbers;
}

}  // namespace

TEST_CASE("what a channel publishes in a turn goes out in parts of bounded length") {
  Attached attached;
  Context& context = attached.context;
  Attachment& attachment = attached.attachment;
  REQUIRE(attachment.is_attached());
  for (std::uint64_t seq = 1; seq <= messages; ++seq)
    attachment.publish(PublishSeq{seq}, large_message());
  attachment.flush();
  CHECK(published(context) == one_to(messages));
  CHECK(context.largest() <= most_bytes);

  // All of it is said again, in as many parts, when the leader does not know the lease.
  context.sent.clear();
  attachment.on_not_leading(base::Time{});
  attached.refresh(base::Time{std::chrono::hours(1)});
  CHECK(published(context) == one_to(messages));
  CHECK(context.largest() <= most_bytes);
}

TEST_CASE("what a channel gets in a turn goes out in parts of bounded length") {
  Context context;
  storage::MemoryDisk disk;
  auto recovered = storage::recover(disk, [](auto&&...) {});
  storage::Log log(disk, {}, *recovered);
  storage::SegmentStore segments(disk, {});
  Replica replica(context.queue, false, log, segments);
  const catalog::Queue* record = context.catalog().find_queue(context.queue);
  QueueLeader leader(context, replica, record->epoch);
  auto ask = [&](bool is_first, QueueRequest request) {
    leader.on_request("n@h", ToQueue{context.queue, record->epoch, ChannelId{1}, Lease{1}, is_first,
                                     std::move(request)});
  };
  broker::Subscription subscription;
  subscription.consumer_tag = "c";
  subscription.no_ack = true;
  subscription.credit = messages;
  ask(true, SubscribeTo{RequestId{1}, subscription});
  PublishTo batch;
  for (std::uint64_t seq = 1; seq <= messages; ++seq)
    batch.publishes.push_back({PublishSeq{seq}, large_message()});
  ask(false, batch);
  leader.advance();
  std::vector<std::uint64_t> delivered;
  for (const LinkMessage& message : context.sent)
    if (const auto* part = std::get_if<DeliveredBy>(&std::get<ToChannel>(message).event))
      for (const DeliveredMessage& each : part->messages) delivered.push_back(each.index.value);
  CHECK(delivered == one_to(messages));
  CHECK(context.largest() <= most_bytes);
}

TEST_CASE("settlements that were lost fail the next sync, not one that was asked for before") {
  Attached attached;
  Attachment& attachment = attached.attachment;
  const Lease first = attachment.lease();
  const MessageIndex message{1};
  auto failed_syncs = [&] {
    std::vector<std::uint64_t> requests;
    for (const auto& failed : attached.effects.failed) requests.push_back(failed.request.value);
    attached.effects = {};
    return requests;
  };
  attachment.on_not_leading(base::Time{});
  attachment.ask(RequestId{1}, SyncTo{RequestId{1}}, base::never);
  attachment.settle(first, {&message, 1}, broker::Outcome::acknowledged);
  attached.refresh(base::Time{std::chrono::hours(1)});
  REQUIRE(attachment.is_attached());
  CHECK(failed_syncs() == std::vector<std::uint64_t>{1});
  attachment.ask(RequestId{2}, SyncTo{RequestId{2}}, base::never);
  attached.refresh(base::Time{std::chrono::hours(1)});
  CHECK(failed_syncs() == std::vector<std::uint64_t>{2});
  attachment.ask(RequestId{3}, SyncTo{RequestId{3}}, base::never);
  attached.refresh(base::Time{std::chrono::hours(1)});
  CHECK(failed_syncs().empty());
}
