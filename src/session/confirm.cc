#include "session/confirm.h"

#include <algorithm>

#include "codec/amqp091_method.h"

namespace warren::session::amqp091 {

void Confirms::select(broker::PublishSeq last) {
  if (is_selected_) return;
  is_selected_ = true;
  before_ = last.value;
}

void Confirms::add() {
  settled_.push_back(false);
  ++outstanding_;
}

void Confirms::settle(std::span<const broker::PublishSeq> publishes, bool is_rejected) {
  for (broker::PublishSeq publish : publishes) {
    if (publish.value <= before_) continue;
    const std::uint64_t tag = publish.value - before_;
    if (tag < first_ || tag - first_ >= settled_.size() || settled_[tag - first_]) continue;
    settled_[tag - first_] = true;
    --outstanding_;
    (is_rejected ? nacked_ : acked_).push_back(tag);
  }
  while (!settled_.empty() && settled_.front()) {
    settled_.pop_front();
    ++first_;
  }
}

void Confirms::flush(base::Bytes& out, std::uint16_t channel) {
  using namespace codec::amqp091;
  std::sort(nacked_.begin(), nacked_.end());
  for (std::uint64_t tag : nacked_) encode_method(out, channel, BasicNack{tag, false, false});
  nacked_.clear();

  std::sort(acked_.begin(), acked_.end());
  // A lone confirm is written without `multiple`, as clients of RabbitMQ see it.
  if (acked_.size() > 1) {
    const auto rest = std::lower_bound(acked_.begin(), acked_.end(), first_);
    if (rest != acked_.begin()) {
      encode_method(out, channel, BasicAck{*std::prev(rest), true});
      acked_.erase(acked_.begin(), rest);
    }
  }
  for (std::uint64_t tag : acked_) encode_method(out, channel, BasicAck{tag, false});
  acked_.clear();
}

}  // namespace warren::session::amqp091
