#include "broker/message_run.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace warren::broker {

void MessageRun::insert(Entry entry) {
  ASSERT(is_live(entry));
  ++size_;
  body_bytes_ += entry.message.body().size();
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
  Entry taken{place.index, std::exchange(place.message, Message()), place.consumer,
              place.redelivered};
  ++dead_;
  tidy();
  return count_out(std::move(taken));
}

MessageRun::Entry MessageRun::count_out(Entry entry) {
  --size_;
  body_bytes_ -= entry.message.body().size();
  return entry;
}

void MessageRun::tidy() {
  constexpr std::size_t few = 64;
  while (!run_.empty() && !is_live(run_.front())) run_.pop_front(), --dead_;
  while (!run_.empty() && !is_live(run_.back())) run_.pop_back(), --dead_;
  if (dead_ > few && dead_ > run_.size() / 2) {
    std::erase_if(run_, [](const Entry& entry) { return !is_live(entry); });
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
