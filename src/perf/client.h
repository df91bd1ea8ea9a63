#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "perf/uri.h"

namespace warren::perf {

/// A connection that waits for what it asks: to prepare a load, and for churn. Once prepared, the
/// socket may be taken over with `release`. Move-only; closes the socket.
class Client {
 public:
  /// Connects, logs in, opens the vhost. Heartbeats are off. Fails when that takes longer than
  /// `wait_seconds`, the bound of every later step too.
  static base::Result<Client> connect(const Uri& uri);
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  ~Client();

  static constexpr int wait_seconds = 120;

  base::Result<> open_channel(std::uint16_t channel);
  /// Sends a method and waits for one that the broker sends on that channel. A closed channel or
  /// connection is an error with the broker's text.
  base::Result<codec::amqp091::Method> call(std::uint16_t channel,
                                            const codec::amqp091::Method& method);
  base::Result<> send(base::ByteView bytes);
  /// The next method that the broker sends, as `call` waits for it.
  base::Result<codec::amqp091::Method> receive();
  /// connection.close and its answer.
  base::Result<> close();

  /// The negotiated frame_max.
  std::uint32_t frame_max() const { return frame_max_; }
  int descriptor() const { return descriptor_; }
  /// Gives the socket away; whatever the broker sent and nobody asked for is lost, so the last
  /// call must have had its answer and nothing else under way.
  int release();

 private:
  Client() = default;
  base::Result<> shake_hands(const Uri& uri);

  int descriptor_ = -1;
  std::uint32_t frame_max_ = codec::amqp091::frame_min_size;
  codec::amqp091::FrameParser parser_{131072};
  std::string input_;
};

/// A socket connected to that address, in blocking mode without delay of small packets.
base::Result<int> connect_socket(const std::string& host, std::uint16_t port);
/// Raises the limit of open files as far as the system lets it.
void raise_file_limit();

}  // namespace warren::perf
