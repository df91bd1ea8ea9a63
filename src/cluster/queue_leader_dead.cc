#include <utility>

#include "catalog/delaying.h"
#include "cluster/queue_leader.h"

/// What becomes of the messages that die in a queue.
namespace warren::cluster {

void QueueLeader::read_dead_letter_rule() {
  replica_.queue().set_delivery_limit(settings_.delivery_limit);
  rule_.reset();
  if (delays_)
    rule_ = DeadLetterRule{std::string(catalog::delaying_exchange(record()->name.name)), {}, true};
  else if (settings_.dead_letter_exchange)
    rule_ =
        DeadLetterRule{*settings_.dead_letter_exchange, settings_.dead_letter_routing_key, false};

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
  if (delays_) delays_->put_off(dead_letters_->take_put_off(), wall_ms());
  replica_.queue().remove(gone);
  settle_for_good(std::move(gone));
}

}  // namespace warren::cluster
