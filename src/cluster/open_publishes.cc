#include "cluster/open_publishes.h"

#include "base/assert.h"

namespace warren::cluster {

void OpenPublishes::add(broker::PublishSeq seq, std::size_t queues, std::size_t bytes) {
  if (publishes_.empty()) first_ = seq;
  ASSERT(queues > 0 && seq.value >= first_.value + publishes_.size());
  while (first_.value + publishes_.size() < seq.value) publishes_.push_back({});
  publishes_.push_back({queues, bytes, false});
  ++open_;
  copies_ += queues;
  bytes_ += bytes;
}

std::optional<bool> OpenPublishes::finish(broker::PublishSeq seq, bool is_rejected) {
  if (seq < first_ || seq.value >= first_.value + publishes_.size()) return {};
  Publish& publish = publishes_[seq.value - first_.value];
  if (publish.waiting == 0) return {};
  --copies_;
  publish.is_rejected |= is_rejected;
  if (--publish.waiting > 0) return {};
  bool verdict = publish.is_rejected;
  --open_;
  bytes_ -= publish.bytes;
  while (!publishes_.empty() && publishes_.front().waiting == 0) {
    publishes_.pop_front();
    first_ = first_.next();
  }
  return verdict;
}

}  // namespace warren::cluster
