#pragma once

#include <cstdint>

#include "base/output_buffer.h"
#include "base/shared_bytes.h"
#include "codec/amqp091_method.h"

/// Messages on their way to a client. Large bodies are not copied: the output refers to the block
/// in which they lie.
namespace warren::codec::amqp091 {

/// A body of at least this size goes out by reference.
inline constexpr std::size_t referred_body_bytes = 4096;

struct ContentView {
  ByteView properties;  ///< encoded
  ByteView body;
  /// Holds the body.
  const base::SharedBytes& block;
};

/// Appends a content header frame and the body, cut into frames of at most `frame_max` octets in
/// all (0: one frame). An empty body has no frame.
void write_content(base::OutputBuffer& out, std::uint16_t channel, std::uint16_t class_id,
                   const ContentView& content, std::uint32_t frame_max);
/// Appends a basic.deliver frame and its content.
void write_delivery(base::OutputBuffer& out, std::uint16_t channel, const DeliverView& deliver,
                    const ContentView& content, std::uint32_t frame_max);

}  // namespace warren::codec::amqp091
