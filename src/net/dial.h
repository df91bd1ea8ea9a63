#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "base/time.h"
#include "net/tcp_stream.h"

namespace warren::net {

enum class DialFailure {
  refused,     ///< the host answered that nobody listens there
  unresolved,  ///< no such host name
  timeout,     ///< no answer before the deadline
  other,
};

struct DialError {
  DialFailure failure;
  std::string text;
};

/// An attempt to connect, under way for as long as this lives. It looks the host up (in the
/// background) and tries its addresses in order.
class Dial {
 public:
  using Done = std::function<void(std::expected<std::unique_ptr<TcpStream>, DialError>)>;

  /// `done` is called once, never from inside this call, and not after the Dial was destroyed.
  /// It may destroy the Dial. `refused` is reported only when every address refused.
  Dial(Shard& shard, std::string host, std::uint16_t port, base::Time deadline, Done done);
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace warren::net
