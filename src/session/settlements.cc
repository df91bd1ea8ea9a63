#include "session/settlements.h"

namespace warren::session::amqp091 {

namespace {
constexpr std::size_t longest_run = 1024;
}

void Settlements::add(broker::ChannelId channel, const Unsettled& delivery,
                      broker::Outcome outcome) {
  const bool fits = channel == channel_ && delivery.queue == queue_ && delivery.lease == lease_ &&
                    outcome == outcome_ && run_.size() < longest_run;
  if (!fits) {
    finish();
    channel_ = channel;
    queue_ = delivery.queue;
    lease_ = delivery.lease;
    outcome_ = outcome;
  }
  run_.push_back(delivery.index);
}

void Settlements::hand_over() {
  gateway_.settle(channel_, queue_, lease_, run_, outcome_);
  run_.clear();
}

}  // namespace warren::session::amqp091
