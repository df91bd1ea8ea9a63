#pragma once

#include <set>
#include <vector>

#include "base/time.h"
#include "cluster/replica.h"

namespace warren::cluster {

/// Which of the messages in a queue of delayed messages are due, and when the next one is. It
/// belongs to the queue's leader.
///
/// The messages lie in the queue, ready, on disk once there are many. Of each its time and its
/// index are noted here, in one heap without a timer; a new leader finds them out of the messages.
/// One that is due dies for those who take dead letters to where they go, so that it is gone when
/// all its targets have it.
class Delays {
 public:
  /// `replica` must outlive it, and its queue must keep its dead.
  explicit Delays(Replica& replica) : replica_(replica) {}

  /// Takes note of messages up to `limit`, and ends those that are due at `now`; a bounded number
  /// of both in one turn, which is told from others by its time. Answers whether there is more to
  /// do in the next one.
  bool work(base::Time turn, broker::WallMs now, MessageIndex limit);
  /// When the first of those that are noted is due; never_ms when there is none.
  broker::WallMs next_due() const;
  /// Those that are due have no room at the moment; they get it when others are gone.
  bool is_full() const;
  /// These were ended, and can't go where they should: they end once more after a while.
  void put_off(const std::vector<MessageIndex>& messages, broker::WallMs now);

 private:
  struct Waiting {
    broker::WallMs due_ms;
    MessageIndex index;
    auto operator<=>(const Waiting&) const = default;
  };

  void note(broker::WallMs due_ms, MessageIndex index);
  void note_new(MessageIndex limit);
  void end_due(broker::WallMs now);

  Replica& replica_;
  std::vector<Waiting> waiting_;  ///< a heap, the earliest in front
  std::set<MessageIndex> put_off_;  ///< those in waiting_ that were ended before
  MessageIndex noted_up_to_;
  bool has_read_ = false;  ///< what is noted next was read from disk for that
  base::Time turn_{};
  std::size_t left_to_note_ = 0;  ///< in this turn
  std::size_t left_to_end_ = 0;
};

}  // namespace warren::cluster
