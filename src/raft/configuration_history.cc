#include "raft/configuration_history.h"

#include "base/assert.h"

namespace warren::raft {

namespace {
const Configuration nobody;
}  // namespace

const Configuration& ConfigurationHistory::latest() const {
  return items_.empty() ? nobody : items_.back().second;
}

LogIndex ConfigurationHistory::latest_index() const {
  return items_.empty() ? LogIndex{} : items_.back().first;
}

const Configuration& ConfigurationHistory::previous() const {
  return items_.size() < 2 ? nobody : items_[items_.size() - 2].second;
}

const Configuration& ConfigurationHistory::at(LogIndex index) const {
  for (auto item = items_.rbegin(); item != items_.rend(); ++item)
    if (item->first <= index) return item->second;
  return nobody;
}

void ConfigurationHistory::append(LogIndex index, Configuration configuration) {
  items_.emplace_back(index, std::move(configuration));
}

void ConfigurationHistory::truncate_from(LogIndex index) {
  while (!items_.empty() && items_.back().first >= index) items_.pop_back();
}

void ConfigurationHistory::compact_to(LogIndex index) {
  while (items_.size() > 1 && items_[1].first <= index) items_.erase(items_.begin());
}

void ConfigurationHistory::reset_to(LogIndex index, Configuration configuration) {
  items_.clear();
  append(index, std::move(configuration));
}

}  // namespace warren::raft
