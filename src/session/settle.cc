#include <fmt/format.h>

#include "session/channel.h"

/// The client settles deliveries: ack, nack, reject, recover.
namespace warren::session::amqp091 {

using namespace codec::amqp091;
using broker::Outcome;

Verdict Channel::handle(const BasicAck& ack) {
  return settle(ack.delivery_tag, ack.multiple, Outcome::acknowledged);
}

Verdict Channel::handle(const BasicNack& nack) {
  return settle(nack.delivery_tag, nack.multiple,
                nack.requeue ? Outcome::requeued : Outcome::rejected);
}

Verdict Channel::handle(const BasicReject& reject) {
  return settle(reject.delivery_tag, false, reject.requeue ? Outcome::requeued : Outcome::rejected);
}

Verdict Channel::handle(const BasicRecoverAsync& recover) {
  return this->recover(recover.requeue);
}

Verdict Channel::handle(const BasicRecover& recover) {
  if (Verdict verdict = this->recover(recover.requeue); !verdict) return verdict;
  send(BasicRecoverOk{});
  return {};
}

Verdict Channel::settle(std::uint64_t tag, bool multiple, Outcome outcome) {
  taken_.clear();
  if (!unacknowledged_.take(tag, multiple, taken_))
    return refuse(ReplyCode::precondition_failed, fmt::format("unknown delivery tag {}", tag));
  if (taken_.empty()) return {};
  if (transaction_)
    transaction_->settlements.push_back({taken_, outcome});
  else
    settle_all(taken_, outcome);
  return {};
}

Verdict Channel::recover(bool requeue) {
  if (!requeue) return refuse(ReplyCode::not_implemented, "requeue=false");
  taken_.clear();
  unacknowledged_.take(0, true, taken_);
  settle_all(taken_, Outcome::requeued);
  return {};
}

void Channel::settle_all(const std::vector<Unsettled>& deliveries, Outcome outcome) {
  for (const Unsettled& delivery : deliveries) talk_.settlements.add(id_, delivery, outcome);
  if (!held_up_.empty()) deliver_held_up();
}

}  // namespace warren::session::amqp091
