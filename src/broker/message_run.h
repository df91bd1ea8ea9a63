#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

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
    Message message;
    /// The number of the consumer that has it; zero for none.
    std::uint32_t consumer = 0;
    bool redelivered = false;
  };

  /// The index must not be there yet, and the message must not be empty.
  void insert(Entry entry);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::uint64_t body_bytes() const { return body_bytes_; }

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
  static bool is_live(const Entry& entry) { return static_cast<bool>(entry.message); }
  std::size_t locate(MessageIndex index) const;
  Entry take_at(std::size_t position);
  Entry count_out(Entry entry);
  void tidy();

  /// Sorted. What was taken from the middle stays as an entry with an empty message until one of
  /// the ends comes to it, or until such entries are the majority. Both ends are live.
  std::deque<Entry> run_;
  std::size_t dead_ = 0;
  /// What came back between entries of `run_`; rare.
  std::map<MessageIndex, Entry> late_;
  std::size_t size_ = 0;
  std::uint64_t body_bytes_ = 0;
};

}  // namespace warren::broker
