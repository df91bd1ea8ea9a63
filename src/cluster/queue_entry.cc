#include "cluster/queue_entry.h"

#include <algorithm>

namespace warren::cluster {
namespace {

/// The epoch of the entry at `index`, and the last index of that epoch's stretch.
std::pair<Epoch, MessageIndex> stretch_at(const EpochHistory& history, MessageIndex last,
                                          MessageIndex index) {
  Epoch epoch;
  for (const EpochStart& start : history) {
    if (start.start > index) return {epoch, MessageIndex{start.start.value - 1}};
    epoch = start.epoch;
  }
  return {epoch, last};
}

}  // namespace

MessageIndex find_agreement(const EpochHistory& one, MessageIndex one_last,
                            const EpochHistory& other, MessageIndex other_last,
                            MessageIndex common) {
  MessageIndex agreed = common;
  while (agreed < std::min(one_last, other_last)) {
    auto [one_epoch, one_end] = stretch_at(one, one_last, agreed.next());
    auto [other_epoch, other_end] = stretch_at(other, other_last, agreed.next());
    if (one_epoch != other_epoch) break;
    agreed = std::min({one_end, other_end, one_last, other_last});
  }
  return agreed;
}

std::vector<DatedAt> dates_of(const std::vector<broker::TimeMark>& marks) {
  std::vector<DatedAt> dates;
  for (const broker::TimeMark& mark : marks)
    dates.push_back({mark.after, {mark.arrived_ms, mark.ttl_ms, mark.has_own}});
  return dates;
}

std::vector<broker::TimeMark> marks_of(const std::vector<DatedAt>& dates) {
  std::vector<broker::TimeMark> marks;
  for (const auto& [after, dated] : dates)
    marks.push_back({after, dated.arrived_ms, dated.ttl_ms, dated.has_own});
  return marks;
}

}  // namespace warren::cluster
