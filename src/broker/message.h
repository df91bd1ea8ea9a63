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

  base::ByteView exchange() const;
  base::ByteView routing_key() const;
  base::ByteView properties() const;
  base::ByteView body() const;
  bool is_persistent() const { return (octet(flags_at) & persistent_flag) != 0; }
  std::uint8_t priority() const { return octet(priority_at); }
  explicit operator bool() const { return static_cast<bool>(block_); }

 private:
  static constexpr std::size_t flags_at = 1, priority_at = 2, exchange_at = 3;
  static constexpr std::uint8_t persistent_flag = 1;

  std::uint8_t octet(std::size_t at) const {
    return block_ ? static_cast<std::uint8_t>(block_.view()[at]) : std::uint8_t{0};
  }
  static bool is_well_formed(base::ByteView encoded);

  /// The parts are found in the block each time: a queue holds many handles and looks at few.
  base::SharedBytes block_;
};

}  // namespace warren::broker
