#pragma once

#include <optional>

#include "base/ring.h"
#include "broker/channel.h"

namespace warren::cluster {

/// A channel's publishes that not all of their queues have answered yet. Memory is in proportion
/// to the span from the oldest open publish to the newest.
class OpenPublishes {
 public:
  /// A publish that waits for that many queues, at least one. `seq` is above all before it.
  void add(broker::PublishSeq seq, std::size_t queues, std::size_t bytes);
  /// One of its queues has taken or rejected it. When that was the last: whether any rejected it.
  std::optional<bool> finish(broker::PublishSeq seq, bool is_rejected);

  std::size_t size() const { return open_; }
  /// Answers of queues that have not come.
  std::size_t copies() const { return copies_; }
  /// What the open ones hold.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Publish {
    std::size_t waiting = 0;  ///< queues that have not answered; 0: closed, or never there
    std::size_t bytes = 0;
    bool is_rejected = false;
  };

  base::Ring<Publish> publishes_;  ///< of first_ and on, one for each number
  broker::PublishSeq first_;
  std::size_t open_ = 0;
  std::size_t copies_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace warren::cluster
