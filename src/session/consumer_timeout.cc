#include <fmt/format.h>

#include <chrono>

#include "base/log.h"
#include "session/channel.h"

/// Whoever keeps a delivery for too long loses its channel, so that others get the message.
namespace warren::session::amqp091 {

using namespace codec::amqp091;

void Channel::watch(const Unsettled& delivery) {
  unacknowledged_.add(delivery);
  talk_.has_unsettled = true;
}

bool Channel::check_timeout(base::Time now) {
  const std::uint64_t oldest = state_ == State::open ? unacknowledged_.oldest() : 0;
  const base::Duration timeout = talk_.environment.limits.consumer_timeout;
  if (!ages_.note(oldest, last_delivery_tag_, now, timeout)) return oldest != 0;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  base::log_warning("connection {}: channel {} has kept a delivery for more than {} ms",
                    talk_.name(), number_, ms);
  Failure failure{ReplyCode::precondition_failed,
                  fmt::format("delivery acknowledgement on channel {} timed out. Timeout value "
                              "used: {} ms. This timeout value can be configured, see consumers "
                              "doc guide to learn more",
                              number_, ms),
                  MethodIds{}, false};
  finish(std::unexpected(std::move(failure)));
  return false;
}

}  // namespace warren::session::amqp091
