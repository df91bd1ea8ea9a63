#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "raft/entry.h"

namespace warren::raft {

/// The part of the log that is held in memory: everything after a base, which is the place of the
/// latest snapshot or (0, 0).
class Log {
 public:
  LogIndex base_index() const { return base_index_; }
  LogIndex last_index() const { return {base_index_.value + entries_.size()}; }
  Term last_term() const { return entries_.empty() ? base_term_ : entries_.back().term; }

  /// The term at `index`; empty before the base and after the end.
  std::optional<Term> term_at(LogIndex index) const;
  /// The entry at `index`, which must lie after the base and not after the end.
  const Entry& at(LogIndex index) const;
  /// Entries from `first` to `last` or until a bound is met; always one where there is one.
  std::vector<Entry> slice(LogIndex first, LogIndex last, std::size_t max_entries,
                           std::size_t max_bytes) const;
  /// The last index that is not after `index` and whose term is at most `term`. Places up to the
  /// base are taken to fit.
  LogIndex last_with_term_up_to(LogIndex index, Term term) const;

  /// `entry.index` must be the one after the last.
  void append(Entry entry);
  /// Removes everything at and after `index`, which lies after the base.
  void truncate_from(LogIndex index);
  /// Moves the base up to `index`, which lies in the log.
  void compact_to(LogIndex index);
  /// Empties the log and places its base.
  void reset_to(LogIndex index, Term term);

 private:
  LogIndex base_index_;
  Term base_term_;
  std::deque<Entry> entries_;
};

}  // namespace warren::raft
