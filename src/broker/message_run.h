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

}  // namespace warren::broker
