#include "broker/death.h"

namespace warren::broker {

std::string_view death_reason_name(DeathReason reason) {
  switch (reason) {
    case DeathReason::rejected: return "rejected";
    case DeathReason::expired: return "expired";
    case DeathReason::maxlen: return "maxlen";
    case DeathReason::delivery_limit: return "delivery_limit";
  }
  return {};
}

}  // namespace warren::broker
