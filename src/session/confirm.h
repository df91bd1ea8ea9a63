#pragma once

#include <cstdint>
#include <deque>
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
  void add();
  /// Repeats, and publishes from before confirm.select, are passed over.
  void settle(std::span<const broker::PublishSeq> publishes, bool is_rejected);

  std::uint64_t outstanding() const { return outstanding_; }
  bool has_gathered() const { return !acked_.empty() || !nacked_.empty(); }
  /// Appends basic.nack for each rejected publish, then one basic.ack with `multiple` for all up
  /// to the first outstanding one, then one for each of the rest.
  void flush(base::Bytes& out, std::uint16_t channel);

 private:
  bool is_selected_ = false;
  std::uint64_t before_ = 0;  ///< publishes from before confirm.select
  std::uint64_t first_ = 1;   ///< delivery tag of settled_.front()
  std::deque<bool> settled_;
  std::uint64_t outstanding_ = 0;
  std::vector<std::uint64_t> acked_;
  std::vector<std::uint64_t> nacked_;
};

}  // namespace warren::session::amqp091
