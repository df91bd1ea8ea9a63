#include "broker/message.h"

#include "base/assert.h"
#include "base/result.h"

namespace warren::broker {
namespace {

constexpr std::uint8_t format_version = 1;
/// Version, flags, priority, and the lengths of the four parts.
constexpr std::size_t fixed_bytes = 3 + 1 + 1 + 4 + 4;

std::size_t encoded_size(const MessageParts& parts, std::size_t body_size) {
  ASSERT(parts.exchange.size() <= 255);
  ASSERT(parts.routing_key.size() <= 255);
  const std::size_t size = fixed_bytes + parts.exchange.size() + parts.routing_key.size() +
                           parts.properties.size() + body_size +
                           (parts.blind_keys.empty() ? 0 : 4 + parts.blind_keys.size()) +
                           (parts.expiration_ms ? sizeof(std::uint64_t) : 0) +
                           (parts.due_ms ? sizeof(std::uint64_t) : 0);
  ASSERT(size <= UINT32_MAX);
  return size;
}

char* store_octet(char* to, std::size_t value) {
  *to = static_cast<char>(value);
  return to + 1;
}

/// Everything before the body; returns the body's place.
char* store_head(char* to, const MessageParts& parts, std::uint8_t flags, std::size_t body_size) {
  to = store_octet(to, format_version);
  to = store_octet(to, flags);
  to = store_octet(to, parts.priority);
  to = store_octet(to, parts.exchange.size());
  to = base::store_bytes(to, parts.exchange);
  to = store_octet(to, parts.routing_key.size());
  to = base::store_bytes(to, parts.routing_key);
  to = base::store_network(to, static_cast<std::uint32_t>(parts.properties.size()));
  to = base::store_bytes(to, parts.properties);
  return base::store_network(to, static_cast<std::uint32_t>(body_size));
}

bool are_keys(base::ByteView keys) {
  base::ByteReader reader(keys);
  while (!reader.empty()) reader.long_string();
  return !reader.failed();
}

/// Everything behind the body.
void store_tail(char* to, const MessageParts& parts) {
  if (!parts.blind_keys.empty()) {
    to = base::store_network(to, static_cast<std::uint32_t>(parts.blind_keys.size()));
    to = base::store_bytes(to, parts.blind_keys);
  }
  if (parts.expiration_ms) to = base::store_network(to, *parts.expiration_ms);
  if (parts.due_ms) base::store_network(to, *parts.due_ms);
}

}  // namespace

void add_blind_key(base::Bytes& keys, base::ByteView key) {
  base::ByteWriter(keys).long_string(key);
}

std::vector<std::string_view> read_blind_keys(base::ByteView keys) {
  std::vector<std::string_view> found;
  base::ByteReader reader(keys);
  while (!reader.empty()) found.push_back(reader.long_string());
  ASSERT(!reader.failed());
  return found;
}

base::ByteView Message::blind_keys() const {
  if (!block_ || (encoded()[1] & flag_blind_keys) == 0) return {};
  const base::ByteView before = body();
  const char* at = before.data() + before.size();
  return {at + 4, base::load_network<std::uint32_t>(at)};
}

Message Message::make(const MessageParts& parts) {
  MessageBuilder builder(parts, parts.body.size());
  builder.append(parts.body);
  return builder.finish();
}

bool Message::is_sound(base::ByteView encoded) {
  constexpr int known_flags = flag_persistent | flag_expiration | flag_blind_keys | flag_due;
  base::ByteReader reader(encoded);
  const std::uint8_t version = reader.u8();
  const std::uint8_t flags = reader.u8();
  reader.u8();
  if (version != format_version || (flags & ~known_flags) != 0) return false;
  reader.short_string();
  reader.short_string();
  reader.long_string();
  reader.long_string();
  if ((flags & flag_blind_keys) != 0 && !are_keys(reader.long_string())) return false;
  if ((flags & flag_expiration) != 0) reader.u64();
  if ((flags & flag_due) != 0) reader.u64();
  return !reader.failed() && reader.empty();
}

base::Result<Message> Message::decode(base::ByteView encoded) {
  if (encoded.size() < fixed_bytes || encoded.size() > UINT32_MAX)
    return base::fail(base::ErrorCode::corrupt, "message of an impossible size");
  if (!is_sound(encoded))
    return base::fail(base::ErrorCode::corrupt, "bytes that are not a message");
  Message message;
  message.block_ = base::SharedBytes(encoded);
  return message;
}

MessageBuilder::MessageBuilder(const MessageParts& parts, std::size_t body_size)
    : block_(encoded_size(parts, body_size), [&](char* to) {
        std::uint8_t flags = parts.persistent ? Message::flag_persistent : 0;
        if (parts.expiration_ms) flags |= Message::flag_expiration;
        if (!parts.blind_keys.empty()) flags |= Message::flag_blind_keys;
        if (parts.due_ms) flags |= Message::flag_due;
        to_ = store_head(to, parts, flags, body_size);
        end_ = to_ + body_size;
        store_tail(end_, parts);
      }) {}

void MessageBuilder::append(base::ByteView piece) {
  ASSERT(piece.size() <= missing());
  to_ = base::store_bytes(to_, piece);
}

void MessageBuilder::note_filled(std::size_t octets) {
  ASSERT(octets <= missing());
  to_ += octets;
}

Message MessageBuilder::finish() {
  ASSERT(missing() == 0);
  Message message;
  message.block_ = std::move(block_);
  return message;
}

}  // namespace warren::broker
