#include "cluster/queue_leader.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "catalog/placement.h"

namespace warren::cluster {
namespace {

/// Entries or snapshot bytes in one message to a follower.
constexpr std::size_t ship_bytes = 1 << 20;
/// Nothing more is shipped to a follower whose link has that much waiting.
constexpr std::size_t max_backlog = 8 << 20;
/// A follower this close to the commit mark may be waited for.
constexpr std::uint64_t near_entries = 5'000;
constexpr std::size_t deliver_at_once = 10'000;
constexpr base::Duration deletion_retry = std::chrono::seconds(1);

std::size_t bytes_of(const QueueEntry& entry) {
  if (const auto* enqueued = std::get_if<Enqueued>(&entry.what))
    return enqueued->message.encoded().size() + 40;
  if (const auto* settled = std::get_if<Settled>(&entry.what))
    return settled->messages.size() * 8 + 24;
  return 24;
}

/// Whether it makes a difference for the request that the consumers before it were served.
bool depends_on_consumers(const QueueRequest& request) {
  return !std::holds_alternative<PublishTo>(request) &&
         !std::holds_alternative<SettleTo>(request) && !std::holds_alternative<GrantTo>(request) &&
         !std::holds_alternative<SyncTo>(request);
}

}  // namespace

QueueLeader::QueueLeader(QueueContext& context, Replica& replica, Epoch epoch,
                         std::optional<MessageIndex> delivered)
    : context_(context), replica_(replica), epoch_(epoch) {
  replica_.apply_all();
  // Where nobody knows what was delivered, the flag must not be missing.
  delivered_ = delivered.value_or(replica_.last());
  replica_.queue().mark_redelivered(delivered_);
  read_settings();
  hold_back_if_delaying();
  read_dead_letter_rule();
}

const catalog::Queue* QueueLeader::record() const {
  return context_.catalog().find_queue(replica_.id());
}

bool QueueLeader::is_in_sync(const NodeName& node) const {
  const catalog::Queue* queue = record();
  return queue && std::ranges::find(queue->in_sync, node) != queue->in_sync.end();
}

bool QueueLeader::is_running(const NodeName& node) const {
  const catalog::Node* found = context_.catalog().find_node(node);
  return found && found->running;
}

bool QueueLeader::is_alone() const {
  const catalog::Queue* queue = record();
  if (!queue || queue->in_sync.size() > 1) return false;
  return std::ranges::none_of(followers_, [](auto& f) { return f.second.is_required; });
}

MessageIndex QueueLeader::deliverable() const {
  return is_alone() ? replica_.last() : replica_.commit();
}

// Requests of channels.

void QueueLeader::on_request(const NodeName& from, ToQueue message) {
  if (message.epoch != epoch_ || !attach(from, message)) {
    context_.send(from, ToChannel{message.channel, message.queue, message.lease, NotLeading{}});
    return;
  }
  if (depends_on_consumers(message.request)) serve();
  std::visit([&](const auto& request) { handle(message, request); }, message.request);
  context_.wake(replica_.id());
}

bool QueueLeader::attach(const NodeName& from, const ToQueue& to) {
  auto attachment = attachments_.find(to.channel);
  bool is_known = attachment != attachments_.end();
  if (is_known && to.lease == attachment->second.lease) return true;
  if (!to.is_first || (is_known && to.lease < attachment->second.lease)) return false;
  if (is_known) drop(to.channel);
  attachments_[to.channel] = {from, to.lease, {}, 0, {}};
  return true;
}

void QueueLeader::give_back(ChannelId channel) {
  settle_for_good(replica_.queue().drop_channel(channel));
  erase_if(gets_, [&](const PendingGet& get) { return get.channel == channel; });
}

void QueueLeader::drop(ChannelId channel) {
  give_back(channel);
  attachments_.erase(channel);
}

void QueueLeader::detach(ChannelId channel) {
  drop(channel);
  delete_if_unused();
}

void QueueLeader::tell(ChannelId channel, Lease lease, QueueEvent event) {
  auto attachment = attachments_.find(channel);
  if (attachment == attachments_.end() || attachment->second.lease != lease) return;
  context_.send(attachment->second.node,
                ToChannel{channel, replica_.id(), lease, std::move(event)});
}

void QueueLeader::reply(const ToQueue& to, RequestId request, base::Result<broker::Reply> result) {
  if (!request) return;
  RepliedBy replied{request, {}, {}, 0, 0};
  if (result) {
    replied.messages = result->messages;
    replied.consumers = result->consumers;
  } else {
    replied.error = result.error().code;
    replied.error_text = result.error().text;
  }
  tell(to.channel, to.lease, std::move(replied));
}

void QueueLeader::order(decltype(QueueEntry::what) what) {
  replica_.append_applied(QueueEntry{epoch_, replica_.last().next(), std::move(what)});
  context_.wake(replica_.id());
}

void QueueLeader::handle(const ToQueue& to, const SubscribeTo& subscribe) {
  auto subscribed = check_open();
  if (subscribed)
    subscribed = replica_.queue().subscribe(to.channel, subscribe.subscription);
  if (subscribe.request) {
    reply(to, subscribe.request,
          subscribed ? base::Result<broker::Reply>(broker::Reply{})
                     : std::unexpected(subscribed.error()));
  } else if (!subscribed) {
    tell(to.channel, to.lease, CancelledBy{subscribe.subscription.consumer_tag});
  }
}

void QueueLeader::handle(const ToQueue& to, const UnsubscribeFrom& unsubscribe) {
  replica_.queue().unsubscribe(to.channel, unsubscribe.consumer_tag);
  // The end of the queue, where its channel's node learns of it, is the answer.
  if (!delete_if_unused()) reply(to, unsubscribe.request, broker::Reply{});
}

void QueueLeader::handle(const ToQueue& to, const GrantTo& grant) {
  replica_.queue().grant(to.channel, grant.consumer_tag, grant.credit);
}

void QueueLeader::handle(const ToQueue& to, const LimitTo& limit) {
  replica_.queue().limit_unacknowledged(to.channel, limit.limit);
}

void QueueLeader::handle(const ToQueue& to, const GetFrom& get) {
  if (settings_.expires_ms) used_ = context_.clock().now();
  bool is_after_consumers = replica_.queue().counts().consumers > 0;
  gets_.push_back({to.channel, to.lease, get, replica_.last(), is_after_consumers});
}

void QueueLeader::handle(const ToQueue& to, const SettleTo& settle) {
  std::vector<MessageIndex> gone;
  replica_.queue().settle(to.channel, settle.messages, settle.outcome, gone);
  settle_for_good(std::move(gone));
}

void QueueLeader::settle_for_good(std::vector<MessageIndex> gone) {
  if (!gone.empty()) order(Settled{std::move(gone)});
}

void QueueLeader::handle(const ToQueue& to, const SyncTo& sync) {
  order(Barrier{});
  syncs_.emplace(replica_.last(), PendingSync{to.channel, to.lease, sync.request});
}

void QueueLeader::handle(const ToQueue& to, const CountFrom& count) {
  // Who declares a queue that is there asks this.
  if (settings_.expires_ms) used_ = context_.clock().now();
  broker::QueueCounts counts = replica_.queue().counts();
  reply(to, count.request, broker::Reply{counts.ready, counts.consumers, {}});
}

void QueueLeader::handle(const ToQueue& to, const PurgeFrom& purge) {
  if (auto open = check_open(); !open)
    return reply(to, purge.request, std::unexpected(open.error()));
  std::vector<MessageIndex> gone;
  replica_.queue().purge(gone);
  std::uint64_t count = gone.size();
  settle_for_good(std::move(gone));
  reply(to, purge.request, broker::Reply{count, 0, {}});
}

void QueueLeader::handle(const ToQueue& to, const DeleteFrom& remove) {
  broker::QueueCounts counts = replica_.queue().counts();
  if (remove.if_unused && counts.consumers > 0)
    return reply(to, remove.request,
                 base::fail(base::ErrorCode::precondition_failed, "in use"));
  if (remove.if_empty && counts.ready > 0)
    return reply(to, remove.request,
                 base::fail(base::ErrorCode::precondition_failed, "not empty"));
  const NodeName node = attachments_.at(to.channel).node;
  // The leader may be gone by the time of the answer, with its queue.
  context_.propose(catalog::DeleteQueue{replica_.id()},
                   [&context = context_, node, channel = to.channel, queue = to.queue,
                    lease = to.lease, request = remove.request,
                    count = counts.ready](base::Result<catalog::Applied> result) {
                     RepliedBy replied{request, {}, {}, count, 0};
                     if (!result && result.error().code != base::ErrorCode::not_found) {
                       replied.error = result.error().code;
                       replied.error_text = result.error().text;
                     }
                     context.send(node, ToChannel{channel, queue, lease, std::move(replied)});
                   });
}

void QueueLeader::handle(const ToQueue& to, const Detach& detached) {
  if (!detached.awaits_confirms) return detach(to.channel);
  give_back(to.channel);
  delete_if_unused();
}

/// Whether the queue is about to go. If that fails, it is tried again, and whoever waits for it
/// finds out in time.
bool QueueLeader::delete_if_unused() {
  const catalog::Queue* queue = record();
  if (!queue || !queue->auto_delete || !replica_.queue().had_consumers() ||
      replica_.queue().counts().consumers > 0)
    return false;
  if (!deleting_ || deleting_->is_answered)
    deleting_ = propose(catalog::DeleteQueue{replica_.id()});
  return true;
}

/// Not while the last proposal is under way, nor for a moment after it has failed: an answer for a
/// queue that is still there is a failure, such as that the cluster has no majority.
bool QueueLeader::may_propose_end() {
  if (!deleting_) return true;
  if (!deleting_->is_answered) return false;
  const base::Time next = deleting_->answered_at + deletion_retry;
  if (context_.clock().now() >= next) return true;
  context_.wake_at(replica_.id(), next);
  return false;
}

void QueueLeader::retry_deletion() {
  if (may_propose_end() && !delete_if_unused()) deleting_.reset();
}

void QueueLeader::on_link_down(const NodeName& node) {
  auto follower = followers_.find(node);
  if (follower != followers_.end()) {
    if (follower->second.is_required)
      follower->second.is_attached = follower->second.is_tailing = false;
    else
      followers_.erase(follower);
  }
  std::vector<ChannelId> gone;
  for (const auto& [channel, attachment] : attachments_)
    if (attachment.node == node) gone.push_back(channel);
  for (ChannelId channel : gone) detach(channel);
  context_.wake(replica_.id());
}

// Replication.

void QueueLeader::on_follow(const NodeName& from, const FollowRequest& request) {
  if (request.epoch != epoch_) return;  // it asks again when it knows better
  const catalog::Queue* queue = record();
  if (!queue) return;
  Follower& follower = followers_[from];
  bool is_undecided = follower.is_required && follower.proposal && !follower.proposal->is_answered;
  bool was_required = follower.is_required;
  Follower fresh;
  fresh.placement_version = queue->placement_version;
  fresh.is_attached = true;
  fresh.is_required = was_required;
  fresh.proposal = follower.proposal;
  context_.wake(replica_.id());

  MessageIndex agreed =
      find_agreement(replica_.epochs(), replica_.last(), request.epochs, request.last);
  if ((is_in_sync(from) || was_required) && request.is_usable &&
      agreed >= replica_.discarded()) {
    follower = fresh;
    follower.is_tailing = true;
    follower.sent = agreed;
    context_.send(from, FollowFrom{replica_.id(), epoch_, agreed});
  } else if (is_in_sync(from)) {
    // Its copy must be replaced, so it must not count any more while that is done.
    followers_.erase(from);
    expel(from);
  } else if (!is_undecided) {
    follower = fresh;
    follower.is_required = false;
    start_snapshot(from, follower);
  }
}

std::shared_ptr<QueueLeader::Proposal> QueueLeader::propose(const catalog::Command& command) {
  auto proposal = std::make_shared<Proposal>();
  context_.propose(command, [&context = context_, id = replica_.id(), proposal](auto) {
    proposal->is_answered = true;
    proposal->answered_at = context.clock().now();
    context.wake(id);
  });
  return proposal;
}

void QueueLeader::expel(const NodeName& node) {
  std::shared_ptr<Proposal>& proposal = expelling_[node];
  if (!proposal || proposal->is_answered)
    proposal = propose(catalog::RemoveInSync{replica_.id(), epoch_, node});
}

void QueueLeader::start_snapshot(const NodeName& node, Follower& follower) {
  follower.snapshot_last = replica_.last();
  follower.sent = MessageIndex{};
  context_.send(node, SnapshotStart{replica_.id(), epoch_});
}

void QueueLeader::on_ack(const NodeName& from, const AppendAck& ack) {
  auto follower = followers_.find(from);
  if (ack.epoch != epoch_ || follower == followers_.end()) return;
  follower->second.acked = std::max(follower->second.acked, ack.acked);
  follower->second.has_acked = true;
  context_.wake(replica_.id());
}

void QueueLeader::on_catalog_changed() {
  const catalog::Queue* queue = record();
  if (!queue) return;
  std::erase_if(expelling_, [this](const auto& entry) { return !is_in_sync(entry.first); });
  // Who left throws its copy away. When it comes back, what it acknowledged before counts no more.
  std::erase_if(followers_, [&](const auto& entry) {
    return std::ranges::find(queue->replicas, entry.first) == queue->replicas.end();
  });
  for (auto& [name, follower] : followers_) {
    // A proposal of another placement version is refused, and so is one for a node that is down,
    // whose coming up makes another version. Nobody has to wait for those.
    bool is_settled =
        follower.placement_version != queue->placement_version || !is_running(name);
    if (is_settled || is_in_sync(name)) follower.is_required = false;
    if (is_settled) follower.proposal.reset();
    follower.placement_version = queue->placement_version;
  }
  yield_if_unwanted();
  read_settings();
  read_dead_letter_rule();
  context_.wake(replica_.id());
}

void QueueLeader::commit() {
  const catalog::Queue* queue = record();
  if (!queue) return;
  MessageIndex commit = replica_.acked();
  for (const NodeName& member : queue->in_sync) {
    if (member == context_.self()) continue;
    auto follower = followers_.find(member);
    bool is_known = follower != followers_.end();
    commit = std::min(commit, is_known ? follower->second.acked : MessageIndex{});
  }
  for (const auto& [name, follower] : followers_)
    if (follower.is_required) commit = std::min(commit, follower.acked);
  if (commit > replica_.commit()) replica_.set_commit(commit);
}

void QueueLeader::confirm() {
  if (confirms_.empty() || confirms_.front().index > replica_.commit()) return;
  // Who has no confirm does not go on publishing for long.
  if (context_.must_wait_for_memory(replica_.id())) return;
  std::map<std::pair<ChannelId, Lease>, std::vector<PublishSeq>> ready;
  auto batch = ready.end();
  while (!confirms_.empty() && confirms_.front().index <= replica_.commit()) {
    const PendingConfirm& confirm = confirms_.front();
    std::pair to(confirm.channel, confirm.lease);
    if (batch == ready.end() || batch->first != to) batch = ready.try_emplace(to).first;
    batch->second.push_back(confirm.seq);
    confirms_.pop_front();
  }
  for (auto& [to, publishes] : ready)
    tell(to.first, to.second, ConfirmedBy{std::move(publishes)});
}

void QueueLeader::answer_gets() {
  while (!gets_.empty()) {
    PendingGet& get = gets_.front();
    if (get.is_after_consumers)
      serve();
    else
      expire();
    auto got = replica_.queue().get(get.channel, get.get.no_ack, deliverable());
    if (!got && replica_.queue().missing()) return;
    bool is_final = got || replica_.queue().counts().ready == 0 || deliverable() >= get.wait_for;
    if (!is_final) return;
    expire();
    GotFrom event{get.get.request, {}, replica_.queue().counts().ready};
    if (got) {
      delivered_ = std::max(delivered_, got->index);
      if (get.get.no_ack) settle_for_good({got->index});
      event.delivery = DeliveredMessage{0, got->index, got->redelivered, std::move(got->message)};
    }
    tell(get.channel, get.lease, std::move(event));
    gets_.pop_front();
  }
}

void QueueLeader::drop_lost() {
  std::vector<MessageIndex> lost = replica_.take_lost();
  replica_.queue().remove(lost);
  settle_for_good(std::move(lost));
}

void QueueLeader::answer_syncs() {
  auto end = syncs_.upper_bound(replica_.commit());
  for (auto sync = syncs_.begin(); sync != end; ++sync)
    tell(sync->second.channel, sync->second.lease, RepliedBy{sync->second.request, {}, {}, 0, 0});
  syncs_.erase(syncs_.begin(), end);
}

void QueueLeader::deliver() {
  std::vector<broker::Queue::Outgoing> outgoing;
  replica_.queue().deliver(deliverable(), deliver_at_once, outgoing);
  if (outgoing.empty()) return;
  if (outgoing.size() == deliver_at_once) context_.wake(replica_.id());
  std::vector<MessageIndex> gone;
  std::vector<std::pair<const ChannelId, Attachment>*> receivers;
  auto receiver = attachments_.end();
  for (broker::Queue::Outgoing& item : outgoing) {
    delivered_ = std::max(delivered_, item.index);
    if (item.no_ack) gone.push_back(item.index);
    if (receiver == attachments_.end() || receiver->first != item.channel)
      receiver = attachments_.find(item.channel);
    ASSERT(receiver != attachments_.end());
    DeliveredBy& delivered = receiver->second.delivered;
    if (delivered.messages.empty()) receivers.push_back(&*receiver);
    // Whoever was last in the batch is the likeliest.
    auto& tags = delivered.consumer_tags;
    auto tag = std::find(tags.rbegin(), tags.rend(), item.consumer_tag);
    if (tag == tags.rend()) {
      tags.emplace_back(item.consumer_tag);
      tag = tags.rbegin();
    }
    auto consumer = static_cast<std::uint32_t>(tags.rend() - tag - 1);
    receiver->second.delivered_bytes += item.message.encoded().size();
    delivered.messages.push_back(
        {consumer, item.index, item.redelivered, std::move(item.message)});
    if (receiver->second.delivered_bytes >= max_batch_bytes) tell_deliveries(*receiver);
  }
  for (auto* each : receivers) tell_deliveries(*each);
  settle_for_good(std::move(gone));
}

void QueueLeader::tell_deliveries(std::pair<const ChannelId, Attachment>& receiver) {
  Attachment& attachment = receiver.second;
  if (attachment.delivered.messages.empty()) return;
  attachment.delivered_bytes = 0;
  context_.send(attachment.node, ToChannel{receiver.first, replica_.id(), attachment.lease,
                                           std::exchange(attachment.delivered, {})});
}

void QueueLeader::ship_entries(const NodeName& node, Follower& follower) {
  if (context_.link_backlog(node) > max_backlog) return;
  const auto& entries = replica_.entries();
  auto next = std::ranges::upper_bound(entries, follower.sent, {}, &QueueEntry::index);
  while (next != entries.end()) {
    Append append{replica_.id(), epoch_, follower.sent, replica_.commit(), {}};
    for (std::size_t bytes = 0; next != entries.end() && bytes < ship_bytes; ++next) {
      bytes += bytes_of(*next);
      append.entries.push_back(*next);
    }
    follower.sent = append.entries.back().index;
    context_.send(node, std::move(append));
  }
}

void QueueLeader::ship_snapshot(const NodeName& node, Follower& follower) {
  if (context_.link_backlog(node) > max_backlog) return;
  SnapshotChunk chunk{replica_.id(), epoch_, {}};
  std::size_t bytes = 0;
  MessageIndex missing;
  replica_.queue().for_each_message(
      follower.sent.next(), [&](MessageIndex index, const broker::Message& message) {
        if (index > follower.snapshot_last || bytes >= ship_bytes) return false;
        if (!message) missing = index;
        if (!message) return false;
        chunk.messages.push_back({index, message});
        bytes += message.encoded().size() + 16;
        return true;
      });
  if (!chunk.messages.empty()) {
    follower.sent = chunk.messages.back().index;
    context_.send(node, std::move(chunk));
    context_.wake(replica_.id());
    return;
  }
  if (missing) return replica_.fetch(missing);
  SnapshotEnd end;
  end.queue = replica_.id();
  end.epoch = epoch_;
  end.last = follower.snapshot_last;
  for (const EpochStart& start : replica_.epochs())
    if (start.start <= follower.snapshot_last) end.epochs.push_back(start);
  for (const DatedAt& date : dates_of(replica_.queue().times()))
    if (date.after <= follower.snapshot_last) end.dates.push_back(date);
  end.producers = replica_.producers().marks();
  end.refusals = replica_.producers().refusals();
  context_.send(node, std::move(end));
  follower.is_tailing = true;
  follower.sent = follower.snapshot_last;
}

void QueueLeader::admit(const NodeName& node, Follower& follower) {
  bool is_waiting = follower.proposal && !follower.proposal->is_answered;
  if (!follower.is_tailing || !follower.has_acked || is_waiting || is_in_sync(node)) return;
  if (!is_running(node)) return;
  const catalog::Queue* queue = record();
  if (!queue || std::ranges::find(queue->replicas, node) == queue->replicas.end()) return;
  // The snapshot holds what was applied here, and that must not be taken back.
  if (replica_.commit() < follower.snapshot_last) return;
  if (follower.acked.value + near_entries < replica_.commit().value) return;
  follower.is_required = true;
  if (follower.acked < replica_.commit()) return;
  follower.proposal = propose(
      catalog::AddInSync{replica_.id(), epoch_, node, follower.placement_version});
}

void QueueLeader::ship() {
  for (auto& [node, follower] : followers_) {
    if (!follower.is_attached) continue;
    if (!follower.is_tailing) ship_snapshot(node, follower);
    if (follower.is_tailing) {
      ship_entries(node, follower);
      admit(node, follower);
    }
  }
}

void QueueLeader::discard() {
  MessageIndex up_to = replica_.commit();
  for (const auto& [node, follower] : followers_)
    if (follower.is_attached)
      up_to = std::min(up_to, follower.is_tailing ? follower.sent : follower.snapshot_last);
  replica_.discard(up_to);
}

void QueueLeader::yield_if_unwanted() {
  if (yielding_ && !yielding_->is_answered) return;
  auto successor = catalog::find_wanted_successor(context_.catalog(), *record());
  if (successor) yielding_ = propose(catalog::ElectLeader{replica_.id(), epoch_, *successor});
}

void QueueLeader::advance() {
  if (!record()) return;
  if (replica_.has_lost()) drop_lost();
  commit();
  confirm();
  answer_syncs();
  if (has_length_limit_ || replica_.queue().has_times()) {
    // What is too old or too much is gone before anybody asks for it.
    serve();
    drop_excess();
  }
  answer_gets();
  serve();
  wake_for_expiry();
  if (delays_)
    work_on_delays();
  else
    bury();
  if (settings_.expires_ms) delete_if_unused_for_long();
  if (deleting_) retry_deletion();
  ship();
  discard();
}

}  // namespace warren::cluster
