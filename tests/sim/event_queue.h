#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/time.h"

namespace warren::sim {

/// Virtual time and what is to happen in it. Events of one moment happen in the order in which
/// they were planned.
class EventQueue {
 public:
  using Event = std::function<void()>;

  base::Time now() const { return now_; }
  void at(base::Time time, Event event) {
    events_.emplace(std::pair(std::max(time, now_), ++last_), std::move(event));
  }
  /// Takes time on to the next event and lets it happen, or to `limit` when there is none before.
  bool run_one(base::Time limit) {
    if (events_.empty() || events_.begin()->first.first > limit) {
      now_ = limit;
      return false;
    }
    auto next = events_.extract(events_.begin());
    now_ = next.key().first;
    next.mapped()();
    return true;
  }

 private:
  base::Time now_{std::chrono::seconds(1)};
  std::uint64_t last_ = 0;
  std::map<std::pair<base::Time, std::uint64_t>, Event> events_;
};

}  // namespace warren::sim
