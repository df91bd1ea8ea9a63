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
    refused_.erase(order_.front().producer);
    order_.pop_front();
  }
}

broker::PublishSeq Producers::taken_up_to(broker::ChannelId producer) const {
  auto place = places_.find(producer);
  return place == places_.end() ? broker::PublishSeq{} : place->second->seq;
}

void Producers::note_refused(broker::ChannelId producer, broker::PublishSeq seq) {
  // A place among the others bounds these too.
  note(producer, taken_up_to(producer));
  broker::PublishSeq& refused = refused_[producer];
  refused = std::max(refused, seq);
}

broker::PublishSeq Producers::refused_up_to(broker::ChannelId producer) const {
  auto refused = refused_.find(producer);
  return refused == refused_.end() ? broker::PublishSeq{} : refused->second;
}

std::vector<ProducerMark> Producers::refusals() const {
  std::vector<ProducerMark> refusals;
  for (const auto& [producer, seq] : refused_) refusals.push_back({producer, seq});
  return refusals;
}

void Producers::assign(const std::vector<ProducerMark>& marks,
                       const std::vector<ProducerMark>& refusals) {
  order_.clear();
  places_.clear();
  refused_.clear();
  for (const ProducerMark& mark : marks) note(mark.producer, mark.seq);
  for (const ProducerMark& mark : refusals)
    if (places_.contains(mark.producer)) refused_[mark.producer] = mark.seq;
}

}  // namespace warren::cluster
