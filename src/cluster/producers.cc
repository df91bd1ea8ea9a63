#include "cluster/producers.h"

namespace warren::cluster {

void Producers::note(broker::ChannelId producer, broker::PublishSeq seq) {
  auto place = places_.find(producer);
  if (place != places_.end()) {
    place->second->seq = std::max(place->second->seq, seq);
    order_.splice(order_.end(), order_, place->second);
    return;
  }
  order_.push_back({producer, seq});
  places_.emplace(producer, std::prev(order_.end()));
  if (order_.size() > capacity) {
    places_.erase(order_.front().producer);
    order_.pop_front();
  }
}

broker::PublishSeq Producers::taken_up_to(broker::ChannelId producer) const {
  auto place = places_.find(producer);
  return place == places_.end() ? broker::PublishSeq{} : place->second->seq;
}

void Producers::assign(const std::vector<ProducerMark>& marks) {
  order_.clear();
  places_.clear();
  for (const ProducerMark& mark : marks) note(mark.producer, mark.seq);
}

}  // namespace warren::cluster
