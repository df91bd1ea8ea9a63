#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/channel.h"
#include "broker/queue.h"
#include "catalog/catalog.h"

namespace warren::session {

/// For tests: one node with queues in memory, no log and no peers. What channels are to hear is
/// kept until `run`, as the real one never answers from inside a call.
class FakeGateway : public broker::Gateway {
 public:
  FakeGateway();

  /// Tells the channels everything that is due, until nothing is left.
  void run();
  /// While held, `run` tells nothing.
  void hold(bool is_held) { is_held_ = is_held; }
  void congest(bool is_congested);
  /// Publishes are rejected from now on.
  void reject(bool is_rejecting) { is_rejecting_ = is_rejecting; }
  /// The next request ends with that error instead of being done.
  void fail_next(base::Error error) { next_error_ = std::move(error); }
  /// Applies a change at once, as if another node had made it.
  base::Result<catalog::Applied> apply(const catalog::Command& command);
  std::uint64_t ready_in(catalog::QueueId queue) { return find_queue(queue)->counts().ready; }
  std::size_t open_channels() const { return channels_.size(); }
  /// How often the catalog was to be changed, however many commands each time.
  std::size_t proposals() const { return proposals_; }

  const catalog::Catalog& catalog() const override { return catalog_; }
  const catalog::NodeName& node_name() const override { return node_name_; }
  broker::ChannelId open_channel(broker::ChannelEvents& events) override;
  void close_channel(broker::ChannelId channel) override;
  void publish(broker::ChannelId channel, broker::PublishSeq seq, const broker::Message& message,
               std::span<const catalog::QueueId> queues) override;
  bool is_congested(broker::ChannelId) override { return is_congested_; }
  void subscribe(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
                 const broker::Subscription& subscription) override;
  void unsubscribe(broker::ChannelId channel, broker::RequestId request,
                   std::string_view consumer_tag) override;
  void grant(broker::ChannelId channel, std::string_view consumer_tag,
             std::uint32_t credit) override;
  void limit_unacknowledged(broker::ChannelId channel, std::uint16_t limit) override;
  void get(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
           bool no_ack) override;
  void settle(broker::ChannelId channel, catalog::QueueId queue, broker::Lease lease,
              std::span<const broker::MessageIndex> messages, broker::Outcome outcome) override;
  void sync(broker::ChannelId channel, broker::RequestId request) override;
  void count(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue) override;
  void purge(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue) override;
  void delete_queue(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
                    bool if_unused, bool if_empty) override;
  using broker::Gateway::change;
  void change(broker::ChannelId channel, broker::RequestId request,
              std::span<const catalog::Command> commands) override;

 private:
  struct Channel {
    broker::ChannelEvents* events = nullptr;
    std::uint16_t limit = 0;
    std::map<std::string, catalog::QueueId, std::less<>> consumers;
  };
  using Event = std::function<void(broker::ChannelEvents&)>;

  void tell(broker::ChannelId channel, Event event) { events_.emplace_back(channel, event); }
  void answer(broker::ChannelId channel, broker::RequestId request,
              base::Result<broker::Reply> reply);
  bool refuse(broker::ChannelId channel, broker::RequestId request);
  broker::Queue* find_queue(catalog::QueueId queue);
  void remove_queue(catalog::QueueId queue);
  void deliver();

  catalog::Catalog catalog_;
  catalog::NodeName node_name_ = "rabbit@test";
  std::map<broker::ChannelId, Channel> channels_;
  std::map<catalog::QueueId, broker::Queue> queues_;
  std::vector<std::pair<broker::ChannelId, Event>> events_;
  std::map<broker::ChannelId, std::vector<broker::PublishSeq>> confirmed_;
  std::map<broker::ChannelId, std::vector<broker::PublishSeq>> rejected_;
  broker::ChannelId last_channel_;
  broker::MessageIndex last_index_;
  std::optional<base::Error> next_error_;
  std::size_t proposals_ = 0;
  bool is_held_ = false;
  bool is_congested_ = false;
  bool is_rejecting_ = false;
};

}  // namespace warren::session
