#pragma once

#include <deque>

#include "base/time.h"
#include "raft/entry.h"

namespace warren::raft {

/// What a leader knows of one other member.
struct Progress {
  enum class State {
    probe,      ///< the place where the logs agree is being sought, one empty message at a time
    replicate,  ///< entries stream, up to the bound of messages in flight
    snapshot,   ///< a snapshot is on its way
  };

  State state = State::probe;
  LogIndex next;           ///< the first entry to send
  LogIndex match;          ///< durable at the member and equal to the leader's log up to here
  LogIndex sent_commit;    ///< the commit index that it was told last
  bool is_paused = false;  ///< a probe is out
  std::deque<LogIndex> in_flight;  ///< last index of each message on its way
  LogIndex snapshot_index;         ///< of the snapshot on its way
  base::Time snapshot_sent;
  base::Time last_contact;
  /// Not zero: the entry at this index removed the member; it is kept until it has that entry and
  /// knows it to be committed.
  LogIndex removed_at;

  void start_probe(LogIndex from) {
    state = State::probe;
    next = from;
    is_paused = false;
    in_flight.clear();
  }
  void start_replicate() {
    state = State::replicate;
    is_paused = false;
    in_flight.clear();
  }
  void acknowledge(LogIndex durable) {
    if (durable > match) match = durable;
    while (!in_flight.empty() && in_flight.front() <= match) in_flight.pop_front();
  }
};

}  // namespace warren::raft
