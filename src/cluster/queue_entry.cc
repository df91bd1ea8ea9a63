#include "cluster/queue_entry.h"

#include <algorithm>
#include <ranges>

namespace warren::cluster {
namespace {

MessageIndex before(MessageIndex index) {
  return {index.value - 1};
}

}  // namespace

MessageIndex find_agreement(const EpochHistory& one, MessageIndex one_last,
                            const EpochHistory& other, MessageIndex other_last) {
  MessageIndex one_end = one_last;
  for (const EpochStart& stretch : std::views::reverse(one)) {
    auto same = std::ranges::find(other, stretch.epoch, &EpochStart::epoch);
    if (same != other.end()) {
      auto next = std::next(same);
      MessageIndex other_end = next == other.end() ? other_last : before(next->start);
      MessageIndex end = std::min(one_end, other_end);
      if (end >= std::max(stretch.start, same->start)) return end;
    }
    one_end = before(stretch.start);
  }
  return {};
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
