#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

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
  /// How long it may stay in a queue, in milliseconds; its own word, whatever the queue says.
  std::optional<std::uint64_t> expiration_ms = {};
  /// Further keys that it is routed by and that its receivers don't see; see `add_blind_key`.
  base::ByteView blind_keys = {};
  /// Until then it waits to be routed, in milliseconds since 1970.
  std::optional<std::uint64_t> due_ms = {};
};

void add_blind_key(base::Bytes& keys, base::ByteView key);
std::vector<std::string_view> read_blind_keys(base::ByteView keys);

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
  /// The block itself, for who sends parts of it without copying them.
  const base::SharedBytes& block() const { return block_; }

  base::ByteView exchange() const { return parts().exchange; }
  base::ByteView routing_key() const { return parts().routing_key; }
  base::ByteView properties() const { return parts().properties; }
  base::ByteView body() const { return parts().body; }
  bool is_persistent() const { return has(flag_persistent); }
  std::uint8_t priority() const {
    return block_ ? static_cast<std::uint8_t>(encoded()[2]) : std::uint8_t{0};
  }
  bool has_expiration() const { return has(flag_expiration); }
  std::optional<std::uint64_t> expiration_ms() const;
  std::optional<std::uint64_t> due_ms() const;
  /// Of most messages none.
  base::ByteView blind_keys() const;
  /// All at once; empty parts for no message. Expiration, due time and blind keys are left out.
  MessageParts parts() const;
  explicit operator bool() const { return static_cast<bool>(block_); }

 private:
  friend class MessageBuilder;
  static bool is_sound(base::ByteView encoded);

  static constexpr std::uint8_t flag_persistent = 1;
  static constexpr std::uint8_t flag_expiration = 2;
  static constexpr std::uint8_t flag_blind_keys = 4;
  static constexpr std::uint8_t flag_due = 8;

  bool has(std::uint8_t flag) const { return block_ && (encoded()[1] & flag) != 0; }
  /// The number that ends so many octets before the block does.
  std::uint64_t number_before(std::size_t rest) const {
    return base::load_network<std::uint64_t>(encoded().data() + encoded().size() - rest - 8);
  }
  /// Where the lengths and the texts of names begin.
  static constexpr std::size_t names_at = 3;

  base::SharedBytes block_;
};

/// Writes a message whose body comes piece by piece.
class MessageBuilder {
 public:
  /// `parts` without the body, of which `body_size` octets will come.
  MessageBuilder(const MessageParts& parts, std::size_t body_size);

  /// No more than is missing.
  void append(base::ByteView piece);
  std::size_t missing() const { return static_cast<std::size_t>(end_ - to_); }
  /// Where the rest goes, for who can put it there without a copy; then say how much it was.
  std::span<char> room() const { return {to_, end_}; }
  void note_filled(std::size_t octets);
  /// The message, once nothing is missing; the builder is of no use afterwards.
  Message finish();

 private:
  // Where the rest of the body goes; set while the block is made, so they come before it.
  char* to_ = nullptr;
  char* end_ = nullptr;
  base::SharedBytes block_;
};

inline std::optional<std::uint64_t> Message::expiration_ms() const {
  if (!has(flag_expiration)) return {};
  return number_before(has(flag_due) ? 8 : 0);
}

inline std::optional<std::uint64_t> Message::due_ms() const {
  if (!has(flag_due)) return {};
  return number_before(0);
}

inline MessageParts Message::parts() const {
  if (!block_) return {};
  const base::ByteView all = encoded();
  const char* at = all.data() + names_at;
  auto take_name = [&] {
    const base::ByteView name(at + 1, static_cast<unsigned char>(*at));
    at += 1 + name.size();
    return name;
  };
  auto take_blob = [&] {
    const base::ByteView blob(at + 4, base::load_network<std::uint32_t>(at));
    at += 4 + blob.size();
    return blob;
  };
  MessageParts parts;
  parts.exchange = take_name();
  parts.routing_key = take_name();
  parts.properties = take_blob();
  parts.body = take_blob();
  parts.persistent = (all[1] & flag_persistent) != 0;
  parts.priority = static_cast<std::uint8_t>(all[2]);
  return parts;
}

}  // namespace warren::broker
