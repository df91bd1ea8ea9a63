#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "broker/channel.h"

namespace warren::session::amqp091 {

/// A delivery that the client has not settled yet.
struct Unsettled {
  std::uint64_t tag = 0;
  catalog::QueueId queue;
  broker::Lease lease;
  broker::MessageIndex index;
  bool is_consumed = false;  ///< by a consumer, not fetched
  bool is_taken = false;     ///< Unacknowledged's own: no delivery any more
};

/// The unacknowledged deliveries of one channel by delivery tag.
class Unacknowledged {
 public:
  /// Tags must grow.
  void add(const Unsettled& delivery);
  /// Appends to `out` what `tag` names and removes it: that one, or with `multiple` all up to it
  /// (all there are for 0). False when `tag` is not there; nothing is taken then.
  bool take(std::uint64_t tag, bool multiple, std::vector<Unsettled>& out);
  /// Puts back what was taken, for tx.rollback.
  void put_back(std::vector<Unsettled> deliveries);

  std::uint64_t size() const { return size_; }
  /// Those that consumers got.
  std::uint64_t consumed() const { return consumed_; }
  /// The tag of the oldest; zero when there is none.
  std::uint64_t oldest() const { return size_ == 0 ? 0 : slots_[gone_].tag; }

 private:
  /// In order of tags. Those taken out of the middle stay until they are more than half; there
  /// are none at the front.
  using Slots = std::vector<Unsettled>;

  Slots::iterator front() { return slots_.begin() + static_cast<std::ptrdiff_t>(gone_); }
  Slots::iterator find(std::uint64_t tag);
  void drop_settled();

  Slots slots_;
  std::size_t gone_ = 0;  ///< slots at the front that are of no use any more
  std::uint64_t size_ = 0;
  std::uint64_t consumed_ = 0;
};

}  // namespace warren::session::amqp091
