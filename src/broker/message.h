#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/shared_bytes.h"

namespace warren::broker {

/// What a publisher sends, before it becomes a Message.
struct MessageParts {
  base::ByteView exchange = {};     ///< at most 255 bytes
  base::ByteView routing_key = {};  ///< at most 255 bytes
  /// The message's properties, encoded; the broker hands them on as they are.
  base::ByteView properties = {};
  base::ByteView body = {};
  bool persistent = false;
  std::uint8_t priority = 0;
};

/// A handle to one immutable message block. Copying the handle shares the block; a message is
/// copied once, into the block, and the same bytes go to disk, to replicas and to consumers.
class Message {
 public:
  Message() = default;
  static Message make(const MessageParts& parts);
  /// Takes an encoded message from disk or from another node.
  static base::Result<Message> decode(base::ByteView encoded);

  /// The whole block, as it goes to disk and to replicas (docs/formats/message.md).
  base::ByteView encoded() const { return block_.view(); }

  base::ByteView exchange() const { return part(exchange_at_, exchange_size_); }
  base::ByteView routing_key() const { return part(routing_key_at_, routing_key_size_); }
  base::ByteView properties() const { return part(properties_at_, properties_size_); }
  base::ByteView body() const { return part(body_at_, body_size_); }
  bool is_persistent() const { return persistent_; }
  std::uint8_t priority() const { return priority_; }
  explicit operator bool() const { return static_cast<bool>(block_); }

 private:
  base::ByteView part(std::uint32_t at, std::uint32_t size) const {
    return block_.view().substr(at, size);
  }
  bool locate_parts();

  base::SharedBytes block_;
  std::uint32_t properties_at_ = 0, properties_size_ = 0;
  std::uint32_t body_at_ = 0, body_size_ = 0;
  std::uint16_t exchange_at_ = 0, routing_key_at_ = 0;
  std::uint8_t exchange_size_ = 0, routing_key_size_ = 0;
  bool persistent_ = false;
  std::uint8_t priority_ = 0;
};

}  // namespace warren::broker
