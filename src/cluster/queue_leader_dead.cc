#include <string>
#include <utility>

#include "cluster/queue_leader.h"

/// What becomes of the messages that die in a queue.
namespace warren::cluster {
namespace {

std::optional<std::string> text_argument(const catalog::Queue& queue, std::string_view name) {
  const base::FieldValue* value = queue.arguments.find(name);
  const auto* text = value ? value->as<std::string>() : nullptr;
  return text ? std::optional(*text) : std::nullopt;
}

}  // namespace

void QueueLeader::read_dead_letter_rule() {
  const catalog::Queue* queue = record();
  if (!queue) return;
  const catalog::PolicyDefinition* policy =
      context_.catalog().find_policy_definition({queue->name.vhost, queue->policy});
  auto exchange = text_argument(*queue, "x-dead-letter-exchange");
  if (!exchange && policy) exchange = policy->dead_letter_exchange;
  auto key = text_argument(*queue, "x-dead-letter-routing-key");
  if (!key && policy) key = policy->dead_letter_routing_key;
  rule_.reset();
  if (exchange) rule_ = DeadLetterRule{*exchange, key};

  replica_.queue().set_keeps_dead(rule_.has_value());
  if (rule_) return;
  dead_letters_.reset();
  std::vector<MessageIndex> gone;
  replica_.queue().drop_dying(gone);
  settle_for_good(std::move(gone));
}

void QueueLeader::bury() {
  if (!rule_ || (!dead_letters_ && !replica_.queue().next_dying())) return;
  if (!dead_letters_) dead_letters_ = std::make_unique<DeadLetters>(context_, replica_);
  std::vector<MessageIndex> gone;
  dead_letters_->work(*rule_, deliverable(), gone);
  replica_.queue().remove(gone);
  settle_for_good(std::move(gone));
}

}  // namespace warren::cluster
