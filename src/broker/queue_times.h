#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "broker/message_run.h"

namespace warren::broker {

/// Milliseconds since 1970.
using WallMs = std::uint64_t;
/// Later than any time.
inline constexpr WallMs never_ms = UINT64_MAX;

/// When the messages after one index, up to the next mark, came into their queue, and how long the
/// queue let messages stay at that time.
struct TimeMark {
  MessageIndex after;
  WallMs arrived_ms = 0;
  std::optional<std::uint64_t> ttl_ms;
  bool has_own = false;  ///< some of them have an expiration of their own

  bool operator==(const TimeMark&) const = default;
};

/// The ages of a queue's messages, as marks at the indexes where they change. What came when
/// nothing about time mattered has none, and never expires. The number of marks is bounded: those
/// that are close are put together where there would be more, which lets messages stay for up to a
/// thousandth of their age longer, and never ends one early.
class QueueTimes {
 public:
  static constexpr std::size_t most_marks = 4096;

  bool empty() const { return marks_.empty(); }
  /// The mark that a message needs which comes in now; empty when the last one does. `after` is
  /// left to the caller.
  std::optional<TimeMark> find_needed(WallMs now, std::optional<std::uint64_t> ttl_ms,
                                      bool has_expiration) const;
  /// `mark.after` should be above all before, else it is passed over. Messages below `lowest` are
  /// not in the queue any more.
  void add(const TimeMark& mark, MessageIndex lowest);
  bool is_full() const { return marks_.size() >= most_marks; }
  /// The mark of a message, or null.
  const TimeMark* find(MessageIndex index) const;

  const std::vector<TimeMark>& marks() const { return marks_; }
  /// In the order of their indexes, as `marks` gave them.
  void assign(std::vector<TimeMark> marks);

  /// When a message under that mark expires; `expiration_ms` is its own. Saturates.
  static WallMs deadline(const TimeMark& mark, std::optional<std::uint64_t> expiration_ms);

 private:
  void thin();
  void halve();

  std::vector<TimeMark> marks_;
};

/// What a queue knows of time while it may have messages that expire.
class MessageAges {
 public:
  QueueTimes times;
  WallMs now = 0;
  /// Messages up to there were offered to the consumers. One that may not stay at all is over only
  /// then.
  MessageIndex offered;

  /// When it expires. Empty when the message is not in memory and would have to say.
  std::optional<WallMs> deadline(const MessageRun::Entry& entry);
  /// Whether it has expired for certain.
  bool is_over(const MessageRun::Entry& entry);

 private:
  /// What messages said that are not in memory any more; a bounded number, they can be read again.
  std::map<MessageIndex, WallMs> known_;
};

}  // namespace warren::broker
