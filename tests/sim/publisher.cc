#include "sim/publisher.h"

namespace warren::sim {

Publisher::Publisher(World& world, Ledger& ledger, std::string name, Plan plan)
    : Client(world, ledger, std::move(name)), plan_(std::move(plan)) {}

std::string Publisher::describe() const {
  std::string text = fmt::format("{}: {} unconfirmed, {} to publish again;", name(),
                                 unconfirmed_.size(), again_.size());
  for (const auto& [seq, item] : unconfirmed_) {
    text += fmt::format(" first {} to {}", seq.value, fmt::join(item.queues, " "));
    break;
  }
  return text;
}

void Publisher::on_connected() {
  last_seq_ = PublishSeq{};
  later(plan_.interval, [this] { publish_next(); });
}

void Publisher::on_disconnected() {
  for (auto& [seq, item] : unconfirmed_) again_.push_back(std::move(item));
  unconfirmed_.clear();
}

Publisher::Item Publisher::make_item() {
  Item item;
  base::Random& random = world_.random();
  item.queues.push_back(plan_.queues[random.below(plan_.queues.size())]);
  if (random.chance(plan_.two_queues_percent)) {
    const std::string& second = plan_.queues[random.below(plan_.queues.size())];
    if (second != item.queues.front()) item.queues.push_back(second);
  }
  item.is_persistent = !random.chance(plan_.transient_percent);
  return item;
}

void Publisher::publish_next() {
  if (!again_.empty()) {
    Item item = std::move(again_.front());
    again_.erase(again_.begin());
    publish(std::move(item));
  } else if (!is_finished() && unconfirmed_.size() < plan_.max_unconfirmed) {
    publish(make_item());
  }
  if (is_finished() && is_idle()) return;
  // Bursts now and then.
  base::Duration pause = world_.random().chance(30)
                             ? base::Duration(0)
                             : world_.between(plan_.interval / 2, plan_.interval * 2);
  later(pause, [this] { publish_next(); });
}

void Publisher::publish(Item item) {
  call([this, item = std::move(item)](cluster::Node& node) {
    std::vector<QueueId> queues;
    for (const std::string& name : item.queues)
      if (QueueId queue = find_queue(node, name)) queues.push_back(queue);
    if (queues.empty()) return;  // unroutable
    if (node.is_congested(channel())) {
      again_.push_back(item);
      return;
    }
    last_seq_ = last_seq_.next();
    std::size_t padding = world_.random().below(plan_.max_padding + 1);
    broker::MessageParts parts;
    base::Bytes body =
        ledger_.publish(channel(), last_seq_, item.is_persistent, queues, padding);
    parts.body = body;
    parts.persistent = item.is_persistent;
    parts.priority = static_cast<std::uint8_t>(last_seq_.value % 3);
    if (item.queues == std::vector<std::string>{short_lived} && world_.random().chance(50))
      parts.expiration_ms = world_.random().below(5) * 500;
    unconfirmed_[last_seq_] = item;
    node.publish(channel(), last_seq_, broker::Message::make(parts), queues);
  });
}

void Publisher::on_confirmed(std::span<const PublishSeq> publishes) {
  for (PublishSeq seq : publishes) {
    if (unconfirmed_.erase(seq) == 0)
      return world_.fail(fmt::format("{}: publish {} is answered twice", name(), seq.value));
    ledger_.confirmed(channel(), seq);
    ++confirmed_;
  }
}

void Publisher::on_rejected(std::span<const PublishSeq> publishes) {
  for (PublishSeq seq : publishes) {
    auto item = unconfirmed_.find(seq);
    if (item == unconfirmed_.end())
      return world_.fail(fmt::format("{}: publish {} is answered twice", name(), seq.value));
    if (world_.random().chance(50)) again_.push_back(item->second);
    unconfirmed_.erase(item);
  }
}

}  // namespace warren::sim
