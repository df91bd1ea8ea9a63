#include "raft/log.h"

#include "base/assert.h"

namespace warren::raft {

std::optional<Term> Log::term_at(LogIndex index) const {
  if (index == base_index_) return base_term_;
  if (index < base_index_ || index > last_index()) return std::nullopt;
  return at(index).term;
}

const Entry& Log::at(LogIndex index) const {
  ASSERT(index > base_index_ && index <= last_index());
  return entries_[index.value - base_index_.value - 1];
}

std::vector<Entry> Log::slice(LogIndex first, LogIndex last, std::size_t max_entries,
                              std::size_t max_bytes) const {
  std::vector<Entry> taken;
  std::size_t bytes = 0;
  for (LogIndex index = first; index <= last && index <= last_index(); index = index.next()) {
    const Entry& entry = at(index);
    bytes += entry.data.size();
    if (!taken.empty() && (taken.size() >= max_entries || bytes > max_bytes)) break;
    taken.push_back(entry);
  }
  return taken;
}

LogIndex Log::last_with_term_up_to(LogIndex index, Term term) const {
  if (index > last_index()) index = last_index();
  while (index > base_index_ && at(index).term > term) index.value -= 1;
  return index;
}

void Log::append(Entry entry) {
  ASSERT(entry.index == last_index().next());
  entries_.push_back(std::move(entry));
}

void Log::truncate_from(LogIndex index) {
  ASSERT(index > base_index_);
  while (last_index() >= index) entries_.pop_back();
}

void Log::compact_to(LogIndex index) {
  base_term_ = at(index).term;
  entries_.erase(entries_.begin(),
                 entries_.begin() + static_cast<std::ptrdiff_t>(index.value - base_index_.value));
  base_index_ = index;
}

void Log::reset_to(LogIndex index, Term term) {
  entries_.clear();
  base_index_ = index;
  base_term_ = term;
}

}  // namespace warren::raft
