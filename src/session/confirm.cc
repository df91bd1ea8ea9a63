#include "session/confirm.h"

#include <algorithm>

#include "codec/amqp091_method.h"

namespace warren::session::amqp091 {

using namespace codec::amqp091;

void Confirms::select(broker::PublishSeq last) {
  if (is_selected_) return;
  is_selected_ = true;
  before_ = last.value;
}

void Confirms::settle(std::span<const broker::PublishSeq> publishes, bool is_rejected) {
  for (broker::PublishSeq publish : publishes) {
    if (publish.value <= before_) continue;
    const std::uint64_t tag = publish.value - before_;
    const bool is_next = tag == first_;
    if (!settle_one(tag)) continue;
    if (is_rejected) {
      nacked_.push_back(tag);
    } else if (is_next) {
      ++run_;
      run_last_ = tag;
    } else {
      acked_.push_back(tag);
    }
  }
}

/// False when it is settled already, or was never published.
bool Confirms::settle_one(std::uint64_t tag) {
  if (tag < first_ || tag > last_) return false;
  if (tag != first_) return early_.insert(tag).second;
  ++first_;
  while (!early_.empty() && *early_.begin() == first_) {
    early_.erase(early_.begin());
    ++first_;
  }
  return true;
}

void Confirms::flush(base::Bytes& out, std::uint16_t channel) {
  std::sort(nacked_.begin(), nacked_.end());
  for (std::uint64_t tag : nacked_) encode_method(out, channel, BasicNack{tag, false, false});
  nacked_.clear();
  flush_acks(out, channel);
}

void Confirms::flush_acks(base::Bytes& out, std::uint16_t channel) {
  std::sort(acked_.begin(), acked_.end());
  // Those that came early may have been caught up with.
  const auto rest = std::lower_bound(acked_.begin(), acked_.end(), first_);
  const auto caught_up = static_cast<std::uint64_t>(rest - acked_.begin());
  if (caught_up != 0) run_last_ = std::max(run_last_, *std::prev(rest));
  run_ += caught_up;
  // A lone confirm is written without `multiple`, as clients of RabbitMQ see it.
  const bool is_lone = run_ == 1 && rest == acked_.end();
  if (run_ != 0) encode_method(out, channel, BasicAck{run_last_, !is_lone});
  for (auto tag = rest; tag != acked_.end(); ++tag)
    encode_method(out, channel, BasicAck{*tag, false});
  acked_.clear();
  run_ = 0;
}

}  // namespace warren::session::amqp091
