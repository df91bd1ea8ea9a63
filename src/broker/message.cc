#include "broker/message.h"

#include "base/assert.h"
#include "base/result.h"

namespace warren::broker {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::uint8_t flag_persistent = 1;
/// Version, flags, priority, and the lengths of the four parts.
constexpr std::size_t fixed_bytes = 3 + 1 + 1 + 4 + 4;

class BlockWriter {
 public:
  explicit BlockWriter(char* to) : to_(to) {}

  void u8(std::size_t value) { *to_++ = static_cast<char>(value); }
  void u32(std::size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) u8((value >> shift) & 0xFF);
  }
  void raw(base::ByteView bytes) { to_ = bytes.copy(to_, bytes.size()) + to_; }

 private:
  char* to_;
};

}  // namespace

Message Message::make(const MessageParts& parts) {
  ASSERT(parts.exchange.size() <= 255);
  ASSERT(parts.routing_key.size() <= 255);
  std::size_t size = fixed_bytes + parts.exchange.size() + parts.routing_key.size() +
                     parts.properties.size() + parts.body.size();
  ASSERT(size <= UINT32_MAX);
  Message message;
  message.block_ = base::SharedBytes(size, [&](char* to) {
    BlockWriter writer(to);
    writer.u8(format_version);
    writer.u8(parts.persistent ? flag_persistent : 0);
    writer.u8(parts.priority);
    writer.u8(parts.exchange.size());
    writer.raw(parts.exchange);
    writer.u8(parts.routing_key.size());
    writer.raw(parts.routing_key);
    writer.u32(parts.properties.size());
    writer.raw(parts.properties);
    writer.u32(parts.body.size());
    writer.raw(parts.body);
  });
  bool located = message.locate_parts();
  ASSERT(located);
  return message;
}

base::Result<Message> Message::decode(base::ByteView encoded) {
  Message message;
  if (encoded.size() < fixed_bytes || encoded.size() > UINT32_MAX)
    return base::fail(base::ErrorCode::corrupt, "message of an impossible size");
  message.block_ = base::SharedBytes(encoded);
  if (!message.locate_parts())
    return base::fail(base::ErrorCode::corrupt, "bytes that are not a message");
  return message;
}

bool Message::locate_parts() {
  base::ByteView all = block_.view();
  base::ByteReader reader(all);
  auto offset = [&] { return static_cast<std::uint32_t>(all.size() - reader.rest().size()); };
  std::uint8_t version = reader.u8();
  std::uint8_t flags = reader.u8();
  priority_ = reader.u8();
  if (version != format_version || (flags & ~flag_persistent) != 0) return false;
  persistent_ = (flags & flag_persistent) != 0;

  exchange_size_ = reader.u8();
  exchange_at_ = static_cast<std::uint16_t>(offset());
  reader.raw(exchange_size_);
  routing_key_size_ = reader.u8();
  routing_key_at_ = static_cast<std::uint16_t>(offset());
  reader.raw(routing_key_size_);
  properties_size_ = reader.u32();
  properties_at_ = offset();
  reader.raw(properties_size_);
  body_size_ = reader.u32();
  body_at_ = offset();
  reader.raw(body_size_);
  return !reader.failed() && reader.empty();
}

}  // namespace warren::broker
