#include "broker/message_run.h"

#include <algorithm>
#include <utility>

namespace warren::broker {

void ReadyMessages::set_max_priority(std::uint8_t most) {
  if (most == max_priority()) return;
  ReadyMessages old = std::exchange(*this, ReadyMessages());
  urgent_.resize(most);
  noted_ = std::move(old.noted_);
  for (auto& [index, priority] : noted_) priority = std::min(priority, most);
  // Where several runs become one, the entries have to come by their indexes.
  std::vector<std::pair<MessageRun*, std::size_t>> runs;
  if (!old.least_.empty()) runs.emplace_back(&old.least_, 0);
  for (std::size_t i = 0; i < old.urgent_.size(); ++i)
    if (!old.urgent_[i].empty()) runs.emplace_back(&old.urgent_[i], i + 1);
  while (!runs.empty()) {
    auto next = std::ranges::min_element(runs, {}, [](auto& r) { return r.first->first()->index; });
    Entry entry = next->first->take_first();
    std::size_t priority = entry.message ? entry.message.priority() : next->second;
    if (next->first->empty()) runs.erase(next);
    run_of(priority).insert(std::move(entry));
  }
}

MessageRun& ReadyMessages::run_of(std::size_t priority) {
  if (urgent_.empty() || priority == 0) return least_;
  priority = std::min(priority, urgent_.size());
  highest_ = std::max(highest_, priority);
  return urgent_[priority - 1];
}

void ReadyMessages::insert(Entry entry) {
  if (urgent_.empty()) return least_.insert(std::move(entry));
  std::size_t priority = entry.message.priority();
  if (auto noted = noted_.find(entry.index); noted != noted_.end()) {
    priority = noted->second;
    noted_.erase(noted);
  }
  run_of(priority).insert(std::move(entry));
}

void ReadyMessages::insert_stored(Entry entry, std::uint8_t priority) {
  run_of(priority).insert(std::move(entry));
}

void ReadyMessages::note(const Entry& taken) {
  if (urgent_.empty()) return;
  std::uint8_t priority = std::min(taken.message.priority(), max_priority());
  if (priority > 0) noted_.emplace(taken.index, priority);
}

/// Nobody else knows any more which priority it had.
MessageRun::Entry ReadyMessages::note_stored(Entry taken, std::size_t priority) {
  if (!taken.message && priority > 0)
    noted_.emplace(taken.index, static_cast<std::uint8_t>(priority));
  return taken;
}

void ReadyMessages::forget(MessageIndex index) {
  if (!noted_.empty()) noted_.erase(index);
}

std::size_t ReadyMessages::size() const {
  std::size_t size = least_.size();
  for (const MessageRun& run : urgent_) size += run.size();
  return size;
}

std::uint64_t ReadyMessages::body_bytes() const {
  std::uint64_t bytes = least_.body_bytes();
  for (const MessageRun& run : urgent_) bytes += run.body_bytes();
  return bytes;
}

std::uint64_t ReadyMessages::resident_bytes() const {
  std::uint64_t bytes = least_.resident_bytes();
  for (const MessageRun& run : urgent_) bytes += run.resident_bytes();
  return bytes;
}

template <typename Update>
void ReadyMessages::update(Update update) {
  update(least_);
  for (MessageRun& run : urgent_)
    if (!run.empty()) update(run);
}

void ReadyMessages::page_out(MessageIndex first, MessageIndex last) {
  update([=](MessageRun& run) { run.page_out(first, last); });
}

void ReadyMessages::mark_stored(MessageIndex first, MessageIndex last) {
  update([=](MessageRun& run) { run.mark_stored(first, last); });
}

void ReadyMessages::evict(MessageIndex first, MessageIndex last) {
  update([=](MessageRun& run) { run.evict(first, last); });
}

void ReadyMessages::page_in(std::span<const MessageRun::Body> bodies) {
  update([=](MessageRun& run) { run.page_in(bodies); });
}

/// The highest priority that has an entry for the limit; zero as well when none has.
std::size_t ReadyMessages::find_priority(MessageIndex limit) const {
  for (std::size_t priority = highest_; priority > 0; --priority) {
    const Entry* first = urgent_[priority - 1].first();
    if (first && first->index <= limit) return priority;
  }
  return 0;
}

const MessageRun::Entry* ReadyMessages::first(MessageIndex limit) const {
  std::size_t priority = find_priority(limit);
  const Entry* first = priority > 0 ? urgent_[priority - 1].first() : least_.first();
  return first && first->index <= limit ? first : nullptr;
}

MessageRun::Entry ReadyMessages::take_first(MessageIndex limit) {
  if (urgent_.empty()) return least_.take_first();
  while (highest_ > 0 && urgent_[highest_ - 1].empty()) --highest_;
  std::size_t priority = find_priority(limit);
  return note_stored(run_of(priority).take_first(), priority);
}

const MessageRun::Entry* ReadyMessages::find(MessageIndex index) const {
  const Entry* found = nullptr;
  for_each_run([&](const MessageRun& run) {
    if (!found) found = run.find(index);
  });
  return found;
}

std::optional<MessageRun::Entry> ReadyMessages::take(MessageIndex index) {
  std::optional<Entry> taken = least_.take(index);
  for (std::size_t priority = highest_; !taken && priority > 0; --priority)
    if ((taken = urgent_[priority - 1].take(index)))
      return note_stored(std::move(*taken), priority);
  return taken;
}

void ReadyMessages::clear() {
  update([](MessageRun& run) { run.clear(); });
  highest_ = 0;
}

MessageIndex ReadyMessages::lowest() const {
  MessageIndex lowest;
  for_each_run([&](const MessageRun& run) {
    if (!lowest || run.first()->index < lowest) lowest = run.first()->index;
  });
  return lowest;
}

}  // namespace warren::broker
