#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "broker/channel.h"

namespace warren::session::amqp091 {

/// The publishes of one channel that are not settled yet, and the confirms that gather in a turn
/// of the loop. A publish's delivery tag is its number since confirm.select.
class Confirms {
 public:
  /// Starts confirm mode after the publish `last`, which gets no confirm any more.
  void select(broker::PublishSeq last);
  bool is_selected() const { return is_selected_; }

  /// The next publish, in order.
  void add() { ++last_; }
  /// Repeats, and publishes from before confirm.select, are passed over.
  void settle(std::span<const broker::PublishSeq> publishes, bool is_rejected);

  std::uint64_t outstanding() const { return last_ + 1 - first_ - early_.size(); }
  bool has_gathered() const { return run_ != 0 || !acked_.empty() || !nacked_.empty(); }
  /// Appends basic.nack for each rejected publish, then one basic.ack with `multiple` for all up
  /// to the first outstanding one, then one for each of the rest.
  void flush(base::Bytes& out, std::uint16_t channel);

 private:
  bool settle_one(std::uint64_t tag);
  void flush_acks(base::Bytes& out, std::uint16_t channel);

  bool is_selected_ = false;
  std::uint64_t before_ = 0;       ///< publishes from before confirm.select
  std::uint64_t first_ = 1;        ///< the first tag that is not settled
  std::uint64_t last_ = 0;         ///< the last tag that was given
  std::set<std::uint64_t> early_;  ///< settled tags above the first that is not

  std::uint64_t run_ = 0;       ///< publishes acknowledged in order since the last flush
  std::uint64_t run_last_ = 0;  ///< the last of them
  std::vector<std::uint64_t> acked_;  ///< those out of order
  std::vector<std::uint64_t> nacked_;
};

}  // namespace warren::session::amqp091
