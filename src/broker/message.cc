#include "broker/message.h"

#include "base/assert.h"
#include "base/result.h"

namespace warren::broker {
namespace {

constexpr std::uint8_t format_version = 1;
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

std::uint32_t big_endian(base::ByteView octets) { return base::ByteReader(octets).u32(); }

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
    writer.u8(parts.persistent ? persistent_flag : 0);
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
  return message;
}

base::Result<Message> Message::decode(base::ByteView encoded) {
  if (encoded.size() < fixed_bytes || encoded.size() > UINT32_MAX)
    return base::fail(base::ErrorCode::corrupt, "message of an impossible size");
  if (!is_well_formed(encoded))
    return base::fail(base::ErrorCode::corrupt, "bytes that are not a message");
  Message message;
  message.block_ = base::SharedBytes(encoded);
  return message;
}

bool Message::is_well_formed(base::ByteView encoded) {
  base::ByteReader reader(encoded);
  std::uint8_t version = reader.u8();
  std::uint8_t flags = reader.u8();
  if (version != format_version || (flags & ~persistent_flag) != 0) return false;
  reader.u8();
  reader.raw(reader.u8());
  reader.raw(reader.u8());
  reader.raw(reader.u32());
  reader.raw(reader.u32());
  return !reader.failed() && reader.empty();
}

base::ByteView Message::exchange() const {
  base::ByteView all = block_.view();
  if (all.empty()) return {};
  return all.substr(exchange_at + 1, octet(exchange_at));
}

base::ByteView Message::routing_key() const {
  base::ByteView all = block_.view();
  if (all.empty()) return {};
  std::size_t at = exchange_at + 1 + octet(exchange_at);
  return all.substr(at + 1, octet(at));
}

base::ByteView Message::properties() const {
  base::ByteView key = routing_key();
  if (!block_) return {};
  base::ByteView all = block_.view();
  std::size_t at = static_cast<std::size_t>(key.data() + key.size() - all.data());
  return all.substr(at + 4, big_endian(all.substr(at, 4)));
}

base::ByteView Message::body() const {
  base::ByteView before = properties();
  if (!block_) return {};
  base::ByteView all = block_.view();
  std::size_t at = static_cast<std::size_t>(before.data() + before.size() - all.data());
  return all.substr(at + 4);
}

}  // namespace warren::broker
