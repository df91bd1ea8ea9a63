#include "management/queue_call.h"

#include <memory>
#include <utility>

namespace warren::management {
namespace {

constexpr broker::RequestId the_request{1};
constexpr broker::PublishSeq the_publish{1};

/// A channel that lives for one call. It keeps itself alive until the call is over, and a turn
/// longer, because a gateway may still be inside one of its events.
class Call : public broker::ChannelEvents, public std::enable_shared_from_this<Call> {
 public:
  explicit Call(Operations& operations) : operations_(operations) {}

  /// Opens the channel and starts; `start` is not called when the application is not running.
  void run() {
    broker::Gateway* gateway = operations_.gateway();
    if (!gateway)
      return fail({base::ErrorCode::unavailable, "the broker application is not running"});
    self_ = shared_from_this();
    channel_ = gateway->open_channel(*this);
    operations_.after(queue_call_deadline, [weak = weak_from_this()] {
      auto call = weak.lock();
      if (!call || !call->self_) return;
      call->fail({base::ErrorCode::timeout, "the queue did not answer in time"});
      call->close();
    });
    start(*gateway);
  }

 protected:
  virtual void start(broker::Gateway& gateway) = 0;
  virtual void fail(const base::Error& error) = 0;

  broker::Gateway* gateway() { return operations_.gateway(); }
  broker::ChannelId channel() const { return channel_; }

  void close() {
    if (!self_) return;
    if (broker::Gateway* open = operations_.gateway()) open->close_channel(channel_);
    operations_.after(base::Duration(0), [last = std::exchange(self_, nullptr)] {});
  }

 private:
  Operations& operations_;
  broker::ChannelId channel_;
  std::shared_ptr<Call> self_;
};

class RequestCall final : public Call {
 public:
  using Start = std::function<void(broker::Gateway&, broker::ChannelId)>;

  RequestCall(Operations& operations, Start start, QueueCallDone done)
      : Call(operations), start_(std::move(start)), done_(std::move(done)) {}

  void on_reply(broker::RequestId, base::Result<broker::Reply> reply) override {
    close();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(reply));
  }

 private:
  void start(broker::Gateway& gateway) override { start_(gateway, channel()); }
  void fail(const base::Error& error) override {
    if (auto done = std::exchange(done_, nullptr)) done(std::unexpected(error));
  }

  Start start_;
  QueueCallDone done_;
};

class GetCall final : public Call {
 public:
  using Done = std::function<void(base::Result<std::vector<GotMessage>>)>;

  GetCall(Operations& operations, catalog::QueueId queue, std::size_t count,
          broker::Outcome outcome, Done done)
      : Call(operations), queue_(queue), count_(count), outcome_(outcome),
        done_(std::move(done)) {}

  void on_got(broker::RequestId, base::Result<std::optional<broker::Delivery>> delivery,
              std::uint64_t remaining) override {
    if (!delivery) {
      settle();
      close();
      return fail(delivery.error());
    }
    if (*delivery) got_.push_back({std::move(**delivery), remaining});
    if (*delivery && got_.size() < count_) return ask();
    settle();
    close();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(got_));
  }

 private:
  void start(broker::Gateway&) override { ask(); }
  void fail(const base::Error& error) override {
    if (auto done = std::exchange(done_, nullptr)) done(std::unexpected(error));
  }

  void ask() {
    if (broker::Gateway* open = gateway())
      open->get(channel(), the_request, queue_, outcome_ == broker::Outcome::acknowledged);
  }

  // With `acknowledged` the messages were taken for good already.
  void settle() {
    broker::Gateway* open = gateway();
    if (outcome_ == broker::Outcome::acknowledged || !open) return;
    for (const GotMessage& message : got_)
      open->settle(channel(), queue_, message.delivery.lease, {&message.delivery.index, 1},
                   outcome_);
  }

  catalog::QueueId queue_;
  std::size_t count_;
  broker::Outcome outcome_;
  Done done_;
  std::vector<GotMessage> got_;
};

class PublishCall final : public Call {
 public:
  PublishCall(Operations& operations, const broker::Message& message,
              std::span<const catalog::QueueId> queues, Operations::Done done)
      : Call(operations), message_(message), queues_(queues.begin(), queues.end()),
        done_(std::move(done)) {}

  void on_confirmed(std::span<const broker::PublishSeq>) override {
    close();
    if (auto done = std::exchange(done_, nullptr)) done({});
  }
  void on_rejected(std::span<const broker::PublishSeq>) override {
    close();
    fail({base::ErrorCode::unavailable, "a queue refused the message"});
  }

 private:
  void start(broker::Gateway& gateway) override {
    gateway.publish(channel(), the_publish, message_, queues_);
  }
  void fail(const base::Error& error) override {
    if (auto done = std::exchange(done_, nullptr)) done(std::unexpected(error));
  }

  broker::Message message_;
  std::vector<catalog::QueueId> queues_;
  Operations::Done done_;
};

}  // namespace

void purge_queue(Operations& operations, catalog::QueueId queue, QueueCallDone done) {
  auto start = [queue](broker::Gateway& gateway, broker::ChannelId channel) {
    gateway.purge(channel, the_request, queue);
  };
  std::make_shared<RequestCall>(operations, start, std::move(done))->run();
}

void delete_queue(Operations& operations, catalog::QueueId queue, bool if_unused, bool if_empty,
                  QueueCallDone done) {
  auto start = [=](broker::Gateway& gateway, broker::ChannelId channel) {
    gateway.delete_queue(channel, the_request, queue, if_unused, if_empty);
  };
  std::make_shared<RequestCall>(operations, start, std::move(done))->run();
}

void get_messages(Operations& operations, catalog::QueueId queue, std::size_t count,
                  broker::Outcome outcome,
                  std::function<void(base::Result<std::vector<GotMessage>>)> done) {
  if (count == 0) return done(std::vector<GotMessage>{});
  std::make_shared<GetCall>(operations, queue, count, outcome, std::move(done))->run();
}

void publish_message(Operations& operations, const broker::Message& message,
                     std::span<const catalog::QueueId> queues, Operations::Done done) {
  std::make_shared<PublishCall>(operations, message, queues, std::move(done))->run();
}

}  // namespace warren::management
