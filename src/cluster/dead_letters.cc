#include "cluster/dead_letters.h"

#include <algorithm>
#include <utility>

#include "catalog/placement.h"
#include "cluster/channels.h"

namespace warren::cluster {
namespace {

/// How much may be under way from one queue.
constexpr std::size_t max_letters = 1'024;
constexpr std::size_t max_letter_bytes = 4u << 20;
/// Delayed messages come due in any order, so what stands next to one is of little use: several
/// short pieces are read at once.
constexpr std::size_t due_read_bytes = 16u << 10;
constexpr std::size_t due_read_ahead = 256;
/// A queue without targets gets rid of so many at once.
constexpr std::size_t most_at_once = 10'000;
constexpr base::Duration offer_interval = std::chrono::seconds(1);

std::vector<QueueId> take_those_down(const catalog::Catalog& catalog,
                                     std::vector<QueueId>& targets) {
  std::vector<QueueId> down;
  std::erase_if(targets, [&](QueueId target) {
    const catalog::Queue* queue = catalog.find_queue(target);
    const bool is_down = queue && !catalog::is_queue_running(catalog, *queue);
    if (is_down) down.push_back(target);
    return is_down;
  });
  return down;
}

}  // namespace

DeadLetters::DeadLetters(QueueContext& context, Replica& replica)
    : context_(context), replica_(replica), channel_(context.channels().open(*this)) {}

DeadLetters::~DeadLetters() {
  context_.channels().close(channel_);
}

bool DeadLetters::is_full() const {
  return letters_.size() >= max_letters || bytes_ >= max_letter_bytes;
}

void DeadLetters::work(const DeadLetterRule& rule, MessageIndex limit,
                       std::vector<MessageIndex>& gone) {
  gone.insert(gone.end(), confirmed_.begin(), confirmed_.end());
  confirmed_.clear();
  if (offer_again_at_ <= context_.clock().now()) offer_again();
  // Another alarm may have taken the place of this one.
  if (offer_again_at_ != base::never) context_.wake_at(replica_.id(), offer_again_at_);
  for (std::size_t sent = 0; !is_full(); ++sent) {
    auto dying = replica_.queue().next_dying();
    // One that may still be taken back must not be found somewhere else already.
    if (!dying || dying->index > limit) return;
    if (!dying->message) {
      if (rule.is_delay) return replica_.fetch_dying(due_read_ahead, due_read_bytes);
      return replica_.fetch_dying(1, SIZE_MAX);
    }
    if (sent == most_at_once) return context_.wake(replica_.id());
    replica_.queue().pass_dying();
    send(rule, *dying, gone);
  }
}

void DeadLetters::send(const DeadLetterRule& rule, const broker::DyingMessage& dying,
                       std::vector<MessageIndex>& gone) {
  const catalog::Queue* queue = context_.catalog().find_queue(replica_.id());
  if (!queue) return;
  DeadLetter made =
      rule.is_delay
          ? make_due_letter(dying.message, {queue->name.vhost, rule.exchange}, context_.router())
          : make_dead_letter(dying.message, dying.reason, queue->name, rule,
                             context_.clock().wall_time(), context_.catalog(), context_.router());
  std::vector<QueueId> down;
  if (rule.is_delay) down = take_those_down(context_.catalog(), made.queues);
  const auto left = left_.extract(dying.index);
  const bool has_had_targets = left && !left.mapped().targets.empty();
  if (has_had_targets) {
    const auto is_done = [&](QueueId target) {
      const std::vector<QueueId>& targets = left.mapped().targets;
      return std::ranges::find(targets, target) == targets.end();
    };
    std::erase_if(made.queues, is_done);
    std::erase_if(down, is_done);
  } else {
    for (const catalog::ResourceName& exchange : made.histories)
      context_.remember(exchange, made.message);
  }
  if (made.queues.empty()) {
    // This node may not have heard of a binding that was made before the message: a check that
    // begins now will tell.
    const std::uint64_t check = left ? left.mapped().check : checks_begun_ + 1;
    const bool is_doubtful = rule.is_delay && !has_had_targets && made.histories.empty() &&
                             check > checks_over();
    if (is_doubtful) begin_check();
    if (!down.empty() || is_doubtful) return put_off(dying.index, {std::move(down), check});
    gone.push_back(dying.index);
    return;
  }
  bytes_ += made.message.encoded().size();
  Letter& letter = letters_[dying.index];
  letter = {std::move(made.message), std::move(down), made.queues.size(), rule.is_delay};
  for (QueueId target : made.queues) send_to(dying.index, letter, target);
}

/// Each target has its publish, so that those that refuse are known.
void DeadLetters::send_to(MessageIndex index, const Letter& letter, QueueId target) {
  last_ = last_.next();
  sent_.emplace(last_, Sent{index, target});
  context_.channels().publish(channel_, last_, letter.message, std::span(&target, 1));
}

void DeadLetters::put_off(MessageIndex index, Left left) {
  left_[index] = std::move(left);
  put_off_.push_back(index);
}

/// One at a time: who comes while one is under way waits for the next.
void DeadLetters::begin_check() {
  if (check_ && !*check_) return;
  ++checks_begun_;
  check_ = std::make_shared<bool>(false);
  context_.catch_up([check = check_] { *check = true; });
}

void DeadLetters::offer_again() {
  offer_again_at_ = base::never;
  for (auto& [index, letter] : letters_) {
    if (letter.is_delay) continue;
    letter.waiting += letter.refused.size();
    for (QueueId target : std::exchange(letter.refused, {})) send_to(index, letter, target);
  }
}

void DeadLetters::on_answers(std::span<const PublishSeq> publishes, bool is_refusal) {
  for (PublishSeq publish : publishes) {
    auto sent = sent_.extract(publish);
    if (!sent) continue;
    auto [index, target] = sent.mapped();
    auto place = letters_.find(index);
    Letter& letter = place->second;
    --letter.waiting;
    if (is_refusal) letter.refused.push_back(target);
    if (letter.waiting > 0) continue;
    if (!letter.refused.empty() && !letter.is_delay) continue;
    bytes_ -= letter.message.encoded().size();
    if (letter.refused.empty())
      confirmed_.push_back(index);
    else
      put_off(index, {.targets = std::move(letter.refused)});
    letters_.erase(place);
  }
  context_.wake(replica_.id());
}

void DeadLetters::on_confirmed(std::span<const PublishSeq> publishes) {
  on_answers(publishes, false);
}

void DeadLetters::on_rejected(std::span<const PublishSeq> publishes) {
  on_answers(publishes, true);
  if (offer_again_at_ != base::never) return;
  offer_again_at_ = context_.clock().now() + offer_interval;
  context_.wake_at(replica_.id(), offer_again_at_);
}

}  // namespace warren::cluster
