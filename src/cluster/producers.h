#pragma once

#include <algorithm>
#include <list>
#include <map>
#include <unordered_map>
#include <vector>

#include "cluster/queue_entry.h"

namespace warren::cluster {

/// The highest publish that a queue has taken from each producer. Holds the `capacity` producers
/// that published last; a publish of one that fell out counts as new.
class Producers {
 public:
  static constexpr std::size_t capacity = 10'000;

  void note(broker::ChannelId producer, broker::PublishSeq seq);
  /// That publish of the producer and all before it were taken already; zero: none.
  broker::PublishSeq taken_up_to(broker::ChannelId producer) const;

  /// Some publish up to that one was refused.
  void note_refused(broker::ChannelId producer, broker::PublishSeq seq);
  /// A publish up to there may have been refused; zero: none was.
  broker::PublishSeq refused_up_to(broker::ChannelId producer) const;

  /// From the longest silent to the latest.
  std::vector<ProducerMark> marks() const { return {order_.begin(), order_.end()}; }
  std::vector<ProducerMark> refusals() const;
  void assign(const std::vector<ProducerMark>& marks, const std::vector<ProducerMark>& refusals);

 private:
  std::list<ProducerMark> order_;
  std::unordered_map<broker::ChannelId, std::list<ProducerMark>::iterator> places_;
  /// Of producers in places_ only.
  std::map<broker::ChannelId, broker::PublishSeq> refused_;
};

}  // namespace warren::cluster
