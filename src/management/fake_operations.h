#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/password.h"
#include "broker/permission.h"
#include "broker/router.h"
#include "management/operations.h"
#include "management/reports.h"

namespace warren::management {

/// A process for tests: one running node over a catalog of its own, whose queues hold messages in
/// memory. Answers come when `run` is called, as in an event loop.
class FakeOperations final : public Operations, public broker::Gateway {
 public:
  FakeOperations() : authorizer_(catalog_), router_(catalog_) {
    catalog::User guest;
    guest.name = "guest";
    guest.password_hash = *broker::make_password_hash("guest", "salt");
    guest.tags = {"administrator"};
    for (const catalog::Command& command : catalog::Catalog::first_commands(guest)) apply(command);
    apply(catalog::AddNode{name_, catalog::NodeKind::disc, "uuid-1"});
    apply(catalog::NodeUp{name_, catalog::Incarnation{17}});
  }

  /// Carries out everything that waits, and what comes of it.
  void run() {
    while (!calls_.empty()) {
      auto call = std::move(calls_.front());
      calls_.pop_front();
      call();
    }
  }

  base::Result<catalog::Applied> apply(const catalog::Command& command) {
    std::vector<catalog::Change> changes;
    return catalog_.apply(command, changes);
  }

  AppState state = AppState::running;
  std::vector<ConnectionInfo> known_connections;
  std::vector<catalog::ConnectionId> closed;
  bool is_memory_short = false;
  Threshold memory_watermark;
  Threshold disk_free_limit;
  /// Of the next joins and the like.
  base::Result<> outcome;

  const catalog::NodeName& node_name() const override { return name_; }
  AppState app_state() const override { return state; }
  std::string app_failure() const override { return ""; }
  broker::Gateway* gateway() override { return state == AppState::running ? this : nullptr; }
  broker::Authorizer* authorizer() override { return &authorizer_; }
  broker::Router* router() override { return &router_; }

  void stop_app(Done done) override {
    state = AppState::stopped;
    done({});
  }
  void start_app(Done done) override {
    state = AppState::running;
    done({});
  }
  void stop(Done done) override { done({}); }
  void reset(Done done) override { done(outcome); }
  void force_reset(Done done) override { done(outcome); }
  void join_cluster(const catalog::NodeName&, bool, Done done) override { done(outcome); }
  void change_cluster_node_type(catalog::NodeKind, Done done) override { done(outcome); }
  void force_boot(Done done) override { done(outcome); }
  void forget_cluster_node(const catalog::NodeName&, Done done) override { done(outcome); }
  void sync_queue(catalog::QueueId, Done done) override { done({}); }

  void propose(const catalog::Command& command, cluster::Node::ProposeDone done) override {
    later([this, command, done] { done(apply(command)); });
  }
  void query(const catalog::NodeName& member, base::Bytes request,
             cluster::Node::QueryDone done) override {
    later([this, member, request, done] {
      if (member == name_) return done(answer_query(*this, request));
      done(base::fail(base::ErrorCode::unavailable, "nobody there"));
    });
  }

  std::vector<catalog::NodeName> running_members() const override { return {name_}; }
  std::vector<catalog::NodeName> partitioned_members() const override { return {}; }
  std::vector<cluster::QueueStatus> led_queues() const override {
    std::vector<cluster::QueueStatus> all;
    for (const auto& [id, queue] : catalog_.queues()) {
      cluster::QueueStatus status;
      status.queue = id;
      if (const auto found = messages_.find(id); found != messages_.end())
        status.counts.ready = found->second.size();
      all.push_back(std::move(status));
    }
    return all;
  }
  std::vector<ConnectionInfo> connections() const override { return known_connections; }
  std::vector<ChannelInfo> channels() const override { return {}; }
  bool close_connection(catalog::ConnectionId connection, const std::string&) override {
    closed.push_back(connection);
    return true;
  }
  ProcessInfo process_info() const override {
    ProcessInfo info;
    info.os_pid = 4711;
    info.memory_alarm = is_memory_short;
    info.listeners = {{"[::]", 5672, "amqp"}};
    return info;
  }
  std::vector<std::string> loopback_users() const override { return {"guest"}; }
  const broker::ExchangeTypes& exchange_types() const override { return exchange_types_; }
  void apply_plugins(const std::vector<std::string>&, Done done) override { done({}); }
  void set_memory_watermark(const Threshold& threshold) override { memory_watermark = threshold; }
  void set_disk_free_limit(const Threshold& threshold) override { disk_free_limit = threshold; }
  void trace(const std::string& vhost, bool is_on) override {
    if (is_on) traced_.insert(vhost);
    if (!is_on) traced_.erase(vhost);
  }
  bool is_traced(std::string_view vhost) const override { return traced_.contains(vhost); }
  base::Time now() const override { return {}; }
  std::int64_t wall_clock_ms() const override { return 1795294633032; }
  std::string secure_random(std::size_t size) override { return std::string(size, 's'); }
  /// Delays never pass here: deadlines are for those who do not answer.
  void after(base::Duration delay, std::function<void()> call) override {
    if (delay == base::Duration(0)) later(std::move(call));
  }

  const catalog::Catalog& catalog() const override { return catalog_; }
  broker::ChannelId open_channel(broker::ChannelEvents& events) override {
    channels_[++last_channel_] = &events;
    return broker::ChannelId{last_channel_};
  }
  void close_channel(broker::ChannelId channel) override { channels_.erase(channel.value); }
  void publish(broker::ChannelId channel, broker::PublishSeq seq, const broker::Message& message,
               std::span<const catalog::QueueId> queues) override {
    for (catalog::QueueId queue : queues) messages_[queue].push_back(message);
    tell(channel, [seq](broker::ChannelEvents& events) { events.on_confirmed({&seq, 1}); });
  }
  bool is_congested(broker::ChannelId) override { return false; }
  void subscribe(broker::ChannelId, broker::RequestId, catalog::QueueId,
                 const broker::Subscription&) override {}
  void unsubscribe(broker::ChannelId, broker::RequestId, std::string_view) override {}
  void grant(broker::ChannelId, std::string_view, std::uint32_t) override {}
  void limit_unacknowledged(broker::ChannelId, std::uint16_t) override {}
  void get(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
           bool no_ack) override {
    std::deque<broker::Message>& ready = messages_[queue];
    std::optional<broker::Delivery> delivery;
    if (!ready.empty()) {
      delivery = broker::Delivery{queue, {}, broker::MessageIndex{1}, false, ready.front()};
      if (!no_ack) held_.push_back(ready.front());
      ready.pop_front();
    }
    tell(channel, [=, left = ready.size()](broker::ChannelEvents& events) {
      events.on_got(request, delivery, left);
    });
  }
  void settle(broker::ChannelId, catalog::QueueId queue, broker::Lease,
              std::span<const broker::MessageIndex>, broker::Outcome outcome) override {
    if (outcome == broker::Outcome::requeued && !held_.empty())
      messages_[queue].push_back(held_.front());
    held_.pop_front();
  }
  void sync(broker::ChannelId, broker::RequestId) override {}
  void count(broker::ChannelId, broker::RequestId, catalog::QueueId) override {}
  void purge(broker::ChannelId channel, broker::RequestId request,
             catalog::QueueId queue) override {
    broker::Reply reply;
    reply.messages = messages_[queue].size();
    messages_[queue].clear();
    tell(channel, [=](broker::ChannelEvents& events) { events.on_reply(request, reply); });
  }
  void delete_queue(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
                    bool, bool if_empty) override {
    base::Result<broker::Reply> result = broker::Reply{};
    result->messages = messages_[queue].size();
    if (if_empty && result->messages > 0)
      result = base::fail(base::ErrorCode::precondition_failed, "queue 'q' in vhost '/' not empty");
    else
      apply(catalog::DeleteQueue{queue});
    tell(channel, [=](broker::ChannelEvents& events) { events.on_reply(request, result); });
  }
  void change(broker::ChannelId, broker::RequestId,
              std::span<const catalog::Command>) override {}

  std::size_t open_channels() const { return channels_.size(); }

 private:
  void later(std::function<void()> call) { calls_.push_back(std::move(call)); }
  template <typename Event>
  void tell(broker::ChannelId channel, Event event) {
    later([this, channel, event] {
      if (const auto found = channels_.find(channel.value); found != channels_.end())
        event(*found->second);
    });
  }

  catalog::NodeName name_ = "rabbit1@vm";
  catalog::Catalog catalog_;
  broker::Authorizer authorizer_;
  broker::Router router_;
  broker::ExchangeTypes exchange_types_;
  std::deque<std::function<void()>> calls_;
  std::map<std::uint64_t, broker::ChannelEvents*> channels_;
  std::uint64_t last_channel_ = 0;
  std::map<catalog::QueueId, std::deque<broker::Message>> messages_;
  std::deque<broker::Message> held_;
  std::set<std::string, std::less<>> traced_;
};

}  // namespace warren::management
