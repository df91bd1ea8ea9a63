#include "broker/message_run.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace warren::broker {

void MessageRun::insert(Entry entry) {
  ASSERT(entry.message || entry.stored);
  entry.taken = false;
  if (entry.message) {
    entry.body_bytes = static_cast<std::uint32_t>(entry.message.body().size());
    resident_bytes_ += entry.message.encoded().size();
  }
  ++size_;
  body_bytes_ += entry.body_bytes;
  if (run_.empty() || entry.index > run_.back().index) {
    run_.push_back(std::move(entry));
  } else if (entry.index < run_.front().index) {
    run_.push_front(std::move(entry));
  } else {
    Entry& place = run_[locate(entry.index)];
    if (place.index == entry.index) {
      ASSERT(!is_live(place));
      place = std::move(entry);
      --dead_;
    } else {
      MessageIndex index = entry.index;
      bool is_new = late_.emplace(index, std::move(entry)).second;
      ASSERT(is_new);
    }
  }
}

const MessageRun::Entry* MessageRun::first() const {
  if (late_.empty()) return run_.empty() ? nullptr : &run_.front();
  const Entry& late = late_.begin()->second;
  return run_.empty() || late.index < run_.front().index ? &late : &run_.front();
}

MessageRun::Entry MessageRun::take_first() {
  ASSERT(size_ > 0);
  if (!late_.empty() && (run_.empty() || late_.begin()->first < run_.front().index))
    return count_out(std::move(late_.extract(late_.begin()).mapped()));
  return take_at(0);
}

MessageRun::Entry MessageRun::take_last() {
  ASSERT(size_ > 0);
  if (!late_.empty() && (run_.empty() || late_.rbegin()->first > run_.back().index))
    return count_out(std::move(late_.extract(std::prev(late_.end())).mapped()));
  return take_at(run_.size() - 1);
}

std::optional<MessageRun::Entry> MessageRun::take(MessageIndex index) {
  if (auto late = late_.find(index); late != late_.end())
    return count_out(std::move(late_.extract(late).mapped()));
  std::size_t position = locate(index);
  if (position == run_.size() || run_[position].index != index || !is_live(run_[position]))
    return std::nullopt;
  return take_at(position);
}

const MessageRun::Entry* MessageRun::find(MessageIndex index) const {
  if (auto late = late_.find(index); late != late_.end()) return &late->second;
  std::size_t position = locate(index);
  bool is_here = position < run_.size() && run_[position].index == index;
  return is_here && is_live(run_[position]) ? &run_[position] : nullptr;
}

void MessageRun::clear() {
  *this = MessageRun();
}

/// The position of the first entry, live or not, with an index not below the given one. Searches
/// from the front with growing steps: most of what is looked for is old.
std::size_t MessageRun::locate(MessageIndex index) const {
  std::size_t low = 0, step = 1;
  while (low + step < run_.size() && run_[low + step].index < index) {
    low += step;
    step *= 2;
  }
  auto first = run_.begin() + static_cast<std::ptrdiff_t>(low);
  auto last = run_.begin() + static_cast<std::ptrdiff_t>(std::min(low + step + 1, run_.size()));
  auto found = std::lower_bound(first, last, index, [](const Entry& entry, MessageIndex wanted) {
    return entry.index < wanted;
  });
  return static_cast<std::size_t>(found - run_.begin());
}

MessageRun::Entry MessageRun::take_at(std::size_t position) {
  Entry& place = run_[position];
  Entry taken = std::move(place);
  place.taken = true;
  ++dead_;
  tidy();
  return count_out(std::move(taken));
}

MessageRun::Entry MessageRun::count_out(Entry entry) {
  --size_;
  body_bytes_ -= entry.body_bytes;
  resident_bytes_ -= entry.message.encoded().size();
  return entry;
}

/// Visits the live entries from `first` to `last`; their messages may be changed.
template <typename Visit>
void MessageRun::update(MessageIndex first, MessageIndex last, Visit visit) {
  auto visit_one = [&](Entry& entry) {
    resident_bytes_ -= entry.message.encoded().size();
    visit(entry);
    resident_bytes_ += entry.message.encoded().size();
  };
  for (std::size_t i = locate(first); i < run_.size() && run_[i].index <= last; ++i)
    if (is_live(run_[i])) visit_one(run_[i]);
  for (auto late = late_.lower_bound(first); late != late_.end() && late->first <= last; ++late)
    visit_one(late->second);
}

void MessageRun::page_out(MessageIndex first, MessageIndex last) {
  update(first, last, [](Entry& entry) {
    entry.stored = true;
    entry.message = Message();
  });
}

void MessageRun::mark_stored(MessageIndex first, MessageIndex last) {
  update(first, last, [](Entry& entry) { entry.stored = true; });
}

void MessageRun::evict(MessageIndex first, MessageIndex last) {
  update(first, last, [](Entry& entry) {
    if (entry.stored) entry.message = Message();
  });
}

void MessageRun::page_in(std::span<const Body> bodies) {
  if (bodies.empty()) return;
  // The late ones come after the others, so the place is searched for again when it goes back.
  auto next = bodies.begin();
  update(bodies.front().index, bodies.back().index, [&](Entry& entry) {
    if (next != bodies.begin() && std::prev(next)->index >= entry.index)
      next = std::ranges::lower_bound(bodies, entry.index, {}, &Body::index);
    while (next != bodies.end() && next->index < entry.index) ++next;
    if (next == bodies.end() || next->index != entry.index || entry.message) return;
    entry.message = next->message;
  });
}

void MessageRun::tidy() {
  constexpr std::size_t few = 64;
  while (!run_.empty() && !is_live(run_.front())) run_.pop_front(), --dead_;
  while (!run_.empty() && !is_live(run_.back())) run_.pop_back(), --dead_;
  if (dead_ > few && dead_ > run_.size() / 2) {
    erase_if(run_, [](const Entry& entry) { return !is_live(entry); });
    dead_ = 0;
  }
}

MessageRun::Cursor::Cursor(const MessageRun& run, MessageIndex from)
    : run_(&run), position_(run.locate(from)), late_(run.late_.lower_bound(from)) {
  settle();
}

void MessageRun::Cursor::advance() {
  if (late_ != run_->late_.end() && current_ == &late_->second)
    ++late_;
  else
    ++position_;
  settle();
}

void MessageRun::Cursor::settle() {
  while (position_ < run_->run_.size() && !is_live(run_->run_[position_])) ++position_;
  const Entry* main = position_ < run_->run_.size() ? &run_->run_[position_] : nullptr;
  const Entry* late = late_ != run_->late_.end() ? &late_->second : nullptr;
  current_ = main && (!late || main->index < late->index) ? main : late;
}

}  // namespace warren::broker
