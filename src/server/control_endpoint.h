#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "net/tcp_stream.h"

/// What is said on an authenticated connection of role cli (net/handshake.h), in both directions:
/// frames of four length octets and a JSON object. Each request gets one reply, in order; see
/// docs/formats/control.md for the requests.
namespace warren::server {

/// The most that a request and a reply may have.
inline constexpr std::size_t max_control_request = 1024 * 1024;
inline constexpr std::size_t max_control_reply = 256 * 1024 * 1024;

/// Takes one frame's payload off the front of `buffer`; empty while it is incomplete. A frame
/// longer than `limit` is a frame_error.
base::Result<std::optional<std::string>> take_control_frame(base::Bytes& buffer, std::size_t limit);
base::Bytes make_control_frame(std::string_view payload);

/// Serves the callers that were admitted. Lives on the node's shard.
class ControlEndpoint {
 public:
  using Reply = std::function<void(std::string)>;
  /// Answers a request by calling the function once, now or later.
  using Handler = std::function<void(const std::string& caller, const std::string& request, Reply)>;

  explicit ControlEndpoint(Handler handler);
  ~ControlEndpoint();

  /// Goes on with a connection whose handshake is done; `rest` are bytes that came after it.
  void adopt(std::unique_ptr<net::TcpStream> stream, std::string caller, base::Bytes rest);
  /// Calls back when every answer that was given has gone to the system.
  bool is_drained() const;
  void set_on_drained(std::function<void()> callback);

 private:
  class Session;
  void remove(std::uint64_t id);

  Handler handler_;
  std::function<void()> on_drained_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;
};

}  // namespace warren::server
