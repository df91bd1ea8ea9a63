#include "sim/consumer.h"

namespace warren::sim {
namespace {

using broker::Outcome;

constexpr std::uint32_t initial_credit = 20;
constexpr base::Duration try_again = std::chrono::milliseconds(300);

}  // namespace

Consumer::Consumer(World& world, Ledger& ledger, std::string name, Plan plan)
    : Client(world, ledger, std::move(name)), plan_(std::move(plan)) {}

std::string Consumer::describe() const {
  return fmt::format("{}: of {}, consumer '{}', received {}, holds {}, {} syncs open", name(),
                     plan_.queue, tag_, received_, held_, syncs_.size());
}

void Consumer::on_connected() {
  if (plan_.way == Way::consume)
    subscribe();
  else
    get_next();
}

void Consumer::on_disconnected() {
  held_ = 0;
  tag_.clear();
  subscribing_ = {};
  unsynced_.clear();
  syncs_.clear();
}

void Consumer::subscribe() {
  call([this](cluster::Node& node) {
    QueueId queue = find_queue(node, plan_.queue);
    if (!queue) return later(try_again, [this] { subscribe(); });
    broker::Subscription subscription;
    tag_ = fmt::format("t{}", ++last_tag_);
    subscription.consumer_tag = tag_;
    subscription.no_ack = plan_.no_ack;
    subscription.prefetch = plan_.prefetch;
    subscription.credit = credit_ = initial_credit;
    subscribing_ = next_request();
    node.subscribe(channel(), subscribing_, queue, subscription);
  });
}

void Consumer::on_reply(broker::RequestId request, base::Result<broker::Reply> reply) {
  if (request == subscribing_) {
    subscribing_ = {};
    if (reply) return;
    world_.trace("{}: no subscription: {}", name(), reply.error().text);
    return later(base::Duration(0), [this] { leave(); });
  }
  auto sync = syncs_.find(request);
  if (sync == syncs_.end())
    return world_.fail(fmt::format("{}: an answer to no request", name()));
  if (reply)
    for (const Settled& settled : sync->second)
      ledger_.settled_durably(settled.queue, settled.message);
  syncs_.erase(sync);
}

void Consumer::on_consumer_cancelled(std::string_view consumer_tag) {
  if (consumer_tag != tag_)
    return world_.fail(fmt::format("{}: consumer '{}' is cancelled, not '{}'", name(),
                                   consumer_tag, tag_));
  world_.trace("{}: cancelled", name());
  tag_.clear();
  later(try_again, [this] { subscribe(); });
}

void Consumer::on_delivery(std::string_view consumer_tag, const broker::Delivery& delivery) {
  if (consumer_tag != tag_)
    return world_.fail(fmt::format("{}: a delivery to '{}', not '{}'", name(), consumer_tag, tag_));
  if (lease_ != delivery.lease) held_ = 0;  // what it held has gone back
  lease_ = delivery.lease;
  if (credit_ == 0) return world_.fail(name() + ": a delivery without credit");
  --credit_;
  if (plan_.prefetch > 0 && !plan_.no_ack && held_ >= plan_.prefetch)
    return world_.fail(fmt::format("{}: more than {} unacknowledged", name(), plan_.prefetch));
  take(delivery);
  later(world_.between(base::Duration(100), plan_.slowness), [this, tag = tag_] {
    if (tag != tag_) return;
    ++credit_;
    call([this, tag](cluster::Node& node) { node.grant(channel(), tag, 1); });
  });
}

void Consumer::take(const broker::Delivery& delivery) {
  std::uint64_t message = ledger_.delivered(channel(), delivery);
  ++received_;
  if (message == 0) return;
  if (plan_.no_ack) return ledger_.settled(delivery.queue, message);
  ++held_;
  later(world_.between(base::Duration(100), plan_.slowness),
        [this, queue = delivery.queue, lease = delivery.lease, index = delivery.index, message] {
          settle(queue, lease, index, message);
        });
}

void Consumer::settle(QueueId queue, broker::Lease lease, broker::MessageIndex index,
                      std::uint64_t message) {
  call([this, queue, lease, index, message](cluster::Node& node) {
    base::Random& random = world_.random();
    Outcome outcome = Outcome::acknowledged;
    unsigned chance = static_cast<unsigned>(random.below(100));
    if (chance < plan_.requeue_percent)
      outcome = Outcome::requeued;
    else if (chance < plan_.requeue_percent + plan_.reject_percent)
      outcome = Outcome::rejected;
    if (lease == lease_ && held_ > 0) --held_;
    node.settle(channel(), queue, lease, {&index, 1}, outcome);
    if (outcome == Outcome::rejected && !plan_.dead_letters.empty()) {
      ledger_.rejected(queue, message, find_queue(node, plan_.dead_letters));
    } else if (outcome != Outcome::requeued) {
      ledger_.settled(queue, message);
      unsynced_.push_back({queue, message});
    }
    if (!random.chance(plan_.sync_percent)) return;
    broker::RequestId request = next_request();
    syncs_[request] = std::exchange(unsynced_, {});
    node.sync(channel(), request);
  });
}

void Consumer::get_next() {
  later(world_.between(plan_.slowness / 2, plan_.slowness * 3), [this] {
    call([this](cluster::Node& node) {
      if (is_finished()) return;
      QueueId queue = find_queue(node, plan_.queue);
      if (!queue) return get_next();
      node.get(channel(), next_request(), queue, plan_.no_ack);
    });
  });
}

void Consumer::on_got(broker::RequestId, base::Result<std::optional<broker::Delivery>> delivery,
                      std::uint64_t) {
  // A get that failed may have taken a message: it goes back with the channel.
  if (!delivery) return later(base::Duration(0), [this] { leave(); });
  if (*delivery) {
    lease_ = (*delivery)->lease;
    take(**delivery);
  }
  get_next();
}

}  // namespace warren::sim
