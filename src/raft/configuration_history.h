#pragma once

#include <utility>
#include <vector>

#include "raft/entry.h"

namespace warren::raft {

/// The configurations that the log holds, by index, over the one at the log's base.
/// The latest is in force from the moment its entry is appended, committed or not.
class ConfigurationHistory {
 public:
  /// Empty where the log holds none.
  const Configuration& latest() const;
  /// Where the latest came from; zero where there is none.
  LogIndex latest_index() const;
  /// The one before the latest.
  const Configuration& previous() const;
  /// The one in force at `index`.
  const Configuration& at(LogIndex index) const;

  void append(LogIndex index, Configuration configuration);
  /// Takes back those at and after `index`.
  void truncate_from(LogIndex index);
  /// Forgets those that a later one, still at or before `index`, replaced.
  void compact_to(LogIndex index);
  /// Starts anew from a snapshot's configuration, or from nothing.
  void reset_to(LogIndex index, Configuration configuration);
  void clear() { items_.clear(); }

 private:
  std::vector<std::pair<LogIndex, Configuration>> items_;
};

}  // namespace warren::raft
