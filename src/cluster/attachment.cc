#include "cluster/attachment.h"

#include <algorithm>
#include <utility>

#include "catalog/placement.h"

namespace warren::cluster {
namespace {

constexpr base::Duration attach_interval = std::chrono::milliseconds(20);

}  // namespace

void Attachment::send(QueueRequest request) {
  flush();
  bool is_first = !std::exchange(has_sent_, true);
  context_.send(leader_, ToQueue{queue_, epoch_, channel_, lease_, is_first, std::move(request)});
}

void Attachment::publish(PublishSeq seq, const broker::Message& message) {
  unconfirmed_.push_back({seq, message});
  if (is_attached_) gather({seq, message});
}

void Attachment::gather(Publish publish) {
  publishes_bytes_ += publish.message.encoded().size();
  publishes_.publishes.push_back(std::move(publish));
  if (publishes_bytes_ >= max_batch_bytes) flush();
}

void Attachment::flush() {
  // Both are taken out first, because sending comes here again.
  SettleTo settles = std::exchange(settles_, {});
  PublishTo publishes = std::exchange(publishes_, {});
  publishes_bytes_ = 0;
  if (!settles.messages.empty()) send(std::move(settles));
  if (!publishes.publishes.empty()) send(std::move(publishes));
}

void Attachment::ask(RequestId request, QueueRequest what, base::Time deadline) {
  bool is_in_vain = false;
  if (std::holds_alternative<SyncTo>(what)) {
    has_settled_ = false;
    // Those asked for before are about other settlements.
    is_in_vain = std::exchange(has_lost_settles_, false);
  }
  if (is_attached_ && !is_in_vain) send(what);
  asked_.emplace(request, Asked{std::move(what), deadline, is_in_vain});
}

void Attachment::grant(const std::string& consumer_tag, std::uint32_t credit) {
  auto consumer = consumers_.find(consumer_tag);
  if (consumer == consumers_.end()) return;
  consumer->second.subscription.credit += credit;
  if (is_attached_) send(GrantTo{consumer_tag, credit});
}

void Attachment::limit(std::uint16_t limit) {
  limit_ = limit;
  if (is_attached_) send(LimitTo{limit});
}

void Attachment::settle(Lease lease, std::span<const MessageIndex> messages,
                        broker::Outcome outcome) {
  if (!is_current(lease)) {
    has_lost_settles_ = true;
    return;
  }
  has_settled_ = true;
  if (settles_.outcome != outcome) flush();
  settles_.outcome = outcome;
  settles_.messages.insert(settles_.messages.end(), messages.begin(), messages.end());
}

void Attachment::close() {
  flush();
  is_closing_ = true;
  consumers_.clear();
  asked_.clear();
  // Others must not wait for what this one holds until its publishes are safe.
  if (is_attached_) send(Detach{!unconfirmed_.empty()});
}

bool Attachment::is_idle() const { return unconfirmed_.empty() && asked_.empty(); }

void Attachment::on_confirmed(const ConfirmedBy& event, Effects& effects) {
  finish(event.publishes, effects.confirmed);
}

void Attachment::on_rejected(const RejectedBy& event, Effects& effects) {
  finish(event.publishes, effects.rejected);
}

/// Takes those out of what is open, and puts those that were there into `finished`.
void Attachment::finish(const std::vector<PublishSeq>& publishes,
                        std::vector<PublishSeq>& finished) {
  finished.reserve(publishes.size());
  for (PublishSeq seq : publishes) {
    auto publish = unconfirmed_.begin();
    if (publish != unconfirmed_.end() && publish->seq != seq)
      publish = std::ranges::lower_bound(unconfirmed_, seq, {}, &Publish::seq);
    if (publish == unconfirmed_.end() || publish->seq != seq) continue;
    finished.push_back(seq);
    unconfirmed_.erase(publish);
  }
  if (is_closing_ && unconfirmed_.empty()) send(Detach{});
}

bool Attachment::on_answered(RequestId request, bool succeeded) {
  auto asked = asked_.find(request);
  if (asked == asked_.end()) return false;
  if (const auto* subscribe = std::get_if<SubscribeTo>(&asked->second.what); subscribe && succeeded)
    consumers_[subscribe->subscription.consumer_tag] = {subscribe->subscription};
  if (const auto* end = std::get_if<UnsubscribeFrom>(&asked->second.what))
    consumers_.erase(end->consumer_tag);
  asked_.erase(asked);
  return true;
}

void Attachment::on_delivered(const DeliveredBy& event) {
  std::vector<std::uint32_t> counts(event.consumer_tags.size());
  for (const DeliveredMessage& message : event.messages) ++counts[message.consumer];
  for (std::size_t i = 0; i < counts.size(); ++i) {
    auto consumer = consumers_.find(event.consumer_tags[i]);
    if (consumer == consumers_.end()) continue;
    std::uint32_t& credit = consumer->second.subscription.credit;
    credit -= std::min(credit, counts[i]);
  }
}

void Attachment::leave() {
  // What was published is sent again from unconfirmed_; what was settled counts as lost.
  is_attached_ = false;
  publishes_ = {};
  publishes_bytes_ = 0;
  settles_ = {};
}

void Attachment::on_not_leading(base::Time now) {
  leave();
  attach_again_ = now + attach_interval;
}

void Attachment::refresh(Lease& next_lease, base::Time now, Effects& effects) {
  const catalog::Queue* queue = context_.catalog().find_queue(queue_);
  if (!queue) return on_removed(effects);
  fail_syncs(false, effects);
  bool is_same = queue->leader == leader_ && queue->epoch == epoch_;
  bool is_reachable =
      queue->leader == context_.self() || context_.is_linked(queue->leader);
  if (is_attached_ && is_same && is_reachable) return;
  leave();
  described_ = "queue '" + queue->name.name + "' in vhost '" + queue->name.vhost + "'";
  if (!catalog::is_queue_running(context_.catalog(), *queue)) {
    attach_again_ = base::Time{};  // the leader's coming up will tell
    return give_up(*queue, effects);
  }
  if (!is_reachable) attach_again_ = base::Time{};  // the link's coming up will tell
  if (!is_reachable || now < attach_again_) return;
  attach_again_ = base::Time{};
  next_lease = next_lease.next();
  attach(*queue, next_lease, effects);
}

void Attachment::attach(const catalog::Queue& queue, Lease lease, Effects& effects) {
  bool is_failover = was_attached_ && (queue.leader != leader_ || queue.epoch != epoch_);
  lease_ = lease;
  leader_ = queue.leader;
  epoch_ = queue.epoch;
  is_attached_ = was_attached_ = true;
  has_sent_ = false;
  // What was settled and not synced under the last lease may be lost.
  fail_syncs(true, effects);
  has_lost_settles_ |= std::exchange(has_settled_, false);
  if (limit_ != 0) send(LimitTo{limit_});
  for (auto consumer = consumers_.begin(); consumer != consumers_.end();) {
    if (is_failover && consumer->second.subscription.cancel_on_failover) {
      effects.cancelled.push_back(consumer->first);
      consumer = consumers_.erase(consumer);
    } else {
      send(SubscribeTo{RequestId{}, consumer->second.subscription});
      ++consumer;
    }
  }
  for (const Publish& publish : unconfirmed_) gather(publish);
  flush();
  for (const auto& [request, asked] : asked_) send(asked.what);
}

/// All of them, or those in vain.
void Attachment::fail_syncs(bool all, Effects& effects) {
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    if (!std::holds_alternative<SyncTo>(asked->second.what) || !(all || asked->second.is_in_vain)) {
      ++asked;
      continue;
    }
    effects.failed.push_back({asked->first,
                              {base::ErrorCode::unavailable,
                               "the leader of " + described_ + " was lost, and with it what was "
                               "settled"}});
    asked = asked_.erase(asked);
  }
}

void Attachment::give_up(const catalog::Queue& queue, Effects& effects) {
  for (const Publish& publish : unconfirmed_) effects.rejected.push_back(publish.seq);
  unconfirmed_.clear();
  for (const auto& [tag, consumer] : consumers_) effects.cancelled.push_back(tag);
  consumers_.clear();
  for (const auto& [request, asked] : asked_)
    effects.failed.push_back(
        {request,
         {base::ErrorCode::not_found, "home node '" + queue.leader + "' of durable " + described_ +
                                          " is down or inaccessible"},
         std::holds_alternative<GetFrom>(asked.what)});
  asked_.clear();
}

void Attachment::on_removed(Effects& effects) {
  leave();
  attach_again_ = base::Time{};
  // A queue that was deleted on purpose took its messages with it; that counts as taken.
  for (const Publish& publish : unconfirmed_) effects.confirmed.push_back(publish.seq);
  unconfirmed_.clear();
  for (const auto& [tag, consumer] : consumers_) effects.cancelled.push_back(tag);
  consumers_.clear();
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    if (std::holds_alternative<DeleteFrom>(asked->second.what)) {
      ++asked;  // the answer with the count is on its way
      continue;
    }
    bool is_ended = std::holds_alternative<UnsubscribeFrom>(asked->second.what) ||
                    std::holds_alternative<SyncTo>(asked->second.what);
    if (is_ended)
      effects.done.push_back(asked->first);
    else
      effects.failed.push_back(
          {asked->first, {base::ErrorCode::not_found, "no " + described_},
           std::holds_alternative<GetFrom>(asked->second.what)});
    asked = asked_.erase(asked);
  }
}

void Attachment::expire(base::Time now, Effects& effects) {
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    if (asked->second.deadline > now) {
      ++asked;
      continue;
    }
    if (std::holds_alternative<DeleteFrom>(asked->second.what) &&
        !context_.catalog().find_queue(queue_))
      effects.done.push_back(asked->first);
    else
      effects.failed.push_back({asked->first,
                                {base::ErrorCode::timeout,
                                 "the queue's leader did not answer in time"},
                                std::holds_alternative<GetFrom>(asked->second.what)});
    asked = asked_.erase(asked);
  }
}

base::Time Attachment::deadline() const {
  base::Time deadline = base::never;
  for (const auto& [request, asked] : asked_) deadline = std::min(deadline, asked.deadline);
  if (!is_attached_ && attach_again_ > base::Time{}) deadline = std::min(deadline, attach_again_);
  return deadline;
}

}  // namespace warren::cluster
