#pragma once

#include <cstdint>

#include "base/ring.h"
#include "base/time.h"

namespace warren::session::amqp091 {

/// How long the deliveries of a channel have been out, without a time on each: now and then it is
/// noted how far the channel has come, and what was delivered before that is at least as old.
class DeliveryAges {
 public:
  /// Notes the last delivery's tag. Whether the one with the tag `oldest`, zero for none, has been
  /// out for `limit`. Keeps as many notes as there are calls in that time.
  bool note(std::uint64_t oldest, std::uint64_t last, base::Time now, base::Duration limit) {
    while (!notes_.empty() && (oldest == 0 || notes_.front().tag < oldest)) notes_.pop_front();
    if (oldest == 0) return false;
    if (!notes_.empty() && now - notes_.front().at >= limit) return true;
    if (notes_.empty() || notes_.back().tag < last) notes_.push_back({last, now});
    return false;
  }

 private:
  struct Note {
    std::uint64_t tag = 0;
    base::Time at{};
  };
  base::Ring<Note> notes_;
};

}  // namespace warren::session::amqp091
