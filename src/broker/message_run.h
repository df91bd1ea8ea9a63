#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/ring.h"
#include "broker/channel.h"
#include "broker/message.h"

namespace warren::broker {

/// Messages in the order of their indexes: those that are ready in a queue, or those that one
/// channel holds. Inserting at either end and taking the first or one near it cost O(1)
/// amortised; anything else costs O(log n).
class MessageRun {
 public:
  struct Entry {
    MessageIndex index;
    /// Empty while it is only on disk; then `stored` is set.
    Message message;
    /// The body's length. `insert` sets it when there is a message.
    std::uint32_t body_bytes = 0;
    /// The number of the consumer that has it; zero for none.
    std::uint32_t consumer : 29 = 0;
    bool redelivered : 1 = false;
    bool stored : 1 = false;  ///< it can be read from disk again
    bool taken : 1 = false;   ///< the run's own: no entry any more
  };
  static_assert(sizeof(Entry) == 24);

  struct Body {
    MessageIndex index;
    Message message;
  };

  /// The index must not be there yet. A message that is empty must be stored.
  void insert(Entry entry);
  /// So many are about to be inserted.
  void reserve(std::size_t messages) { run_.reserve(run_.size() + messages); }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::uint64_t body_bytes() const { return body_bytes_; }
  /// The whole messages that are in memory.
  std::uint64_t resident_bytes() const { return resident_bytes_; }

  /// Everything from `first` to `last`, both included, can be read from disk: drops it from memory.
  void page_out(MessageIndex first, MessageIndex last);
  /// The same, but keeps it in memory as well until `evict`.
  void mark_stored(MessageIndex first, MessageIndex last);
  /// Drops from memory what is stored.
  void evict(MessageIndex first, MessageIndex last);
  /// Takes back what was read, in the order of the indexes; passes over what is not here or is in
  /// memory.
  void page_in(std::span<const Body> bodies);

  /// The entry with the lowest index, or null.
  const Entry* first() const;
  /// There must be one.
  Entry take_first();
  /// The entry with the highest index; there must be one.
  Entry take_last();
  std::optional<Entry> take(MessageIndex index);
  /// Null when it is not here.
  const Entry* find(MessageIndex index) const;
  void clear();

  /// Walks a run in order. Valid until the run changes.
  class Cursor {
   public:
    /// Stands at the first entry with an index not below `from`.
    Cursor(const MessageRun& run, MessageIndex from);

    /// Null past the end.
    const Entry* current() const { return current_; }
    void advance();

   private:
    void settle();

    const MessageRun* run_;
    std::size_t position_;
    std::map<MessageIndex, Entry>::const_iterator late_;
    const Entry* current_ = nullptr;
  };

 private:
  static bool is_live(const Entry& entry) { return !entry.taken; }
  template <typename Visit>
  void update(MessageIndex first, MessageIndex last, Visit visit);
  std::size_t locate(MessageIndex index) const;
  Entry take_at(std::size_t position);
  Entry count_out(Entry entry);
  void tidy();

  /// Sorted. What was taken from the middle stays as a taken entry until one of
  /// the ends comes to it, or until such entries are the majority. Both ends are live.
  base::Ring<Entry> run_;
  std::size_t dead_ = 0;
  /// What came back between entries of `run_`; rare.
  std::map<MessageIndex, Entry> late_;
  std::size_t size_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t resident_bytes_ = 0;
};

/// The ready messages of a queue in the order of delivery: by index or, in a queue that knows
/// priorities, by priority, the highest first, and then by index. Each priority has a run of its
/// own; a queue without priorities has one run, and a branch is what it pays for the possibility
/// of more.
class ReadyMessages {
 public:
  using Entry = MessageRun::Entry;

  /// Higher priorities than `most` count as `most`; with zero there are none. Sorts anew what is
  /// here. A message that is on disk only keeps the priority that it had here.
  void set_max_priority(std::uint8_t most);
  std::uint8_t max_priority() const { return static_cast<std::uint8_t>(urgent_.size()); }

  /// The index must not be there yet.
  void insert(Entry entry);
  /// Of a message that is on disk only.
  void insert_stored(Entry entry, std::uint8_t priority);
  /// So many without a priority are about to be inserted.
  void reserve(std::size_t messages) { least_.reserve(messages); }
  /// What was taken may come back when it isn't in memory any more: notes its priority until it is
  /// inserted again or forgotten.
  void note(const Entry& taken);
  void forget(MessageIndex index);

  bool empty() const { return size() == 0; }
  std::size_t size() const;
  std::uint64_t body_bytes() const;
  std::uint64_t resident_bytes() const;

  /// As in MessageRun, for all runs.
  void page_out(MessageIndex first, MessageIndex last);
  void mark_stored(MessageIndex first, MessageIndex last);
  void evict(MessageIndex first, MessageIndex last);
  void page_in(std::span<const MessageRun::Body> bodies);

  /// The entry that goes next of those with index <= `limit`, or null. An urgent one that may not
  /// go yet holds up nobody.
  const Entry* first(MessageIndex limit = {UINT64_MAX}) const;
  /// Takes the first entry of each priority, as long as it is wanted, and gives it to `give`.
  template <typename IsWanted, typename Give>
  void take_firsts_while(IsWanted is_wanted, Give give) {
    for (std::size_t priority = 0; priority <= urgent_.size(); ++priority) {
      MessageRun& run = priority == 0 ? least_ : urgent_[priority - 1];
      while (!run.empty() && is_wanted(*run.first()))
        give(note_stored(run.take_first(), priority));
    }
  }
  /// There must be one.
  Entry take_first(MessageIndex limit = {UINT64_MAX});
  const Entry* find(MessageIndex index) const;
  std::optional<Entry> take(MessageIndex index);
  void clear();
  /// The lowest index that is ready; zero when none is.
  MessageIndex lowest() const;

  /// Visits the runs that have messages, in the order of delivery.
  template <typename Visit>
  void for_each_run(Visit visit) const {
    for (auto run = urgent_.rbegin(); run != urgent_.rend(); ++run)
      if (!run->empty()) visit(*run);
    if (!least_.empty()) visit(least_);
  }

 private:
  template <typename Update>
  void update(Update update);
  MessageRun& run_of(std::size_t priority);
  Entry note_stored(Entry taken, std::size_t priority);
  std::size_t find_priority(MessageIndex limit) const;

  MessageRun least_;                ///< priority 0
  std::vector<MessageRun> urgent_;  ///< priorities from 1 on; empty in a queue without
  std::size_t highest_ = 0;         ///< no run of a higher priority has messages
  /// The priorities above 0 of messages that were taken and may come back; none in a queue without.
  std::map<MessageIndex, std::uint8_t> noted_;
};

}  // namespace warren::broker
