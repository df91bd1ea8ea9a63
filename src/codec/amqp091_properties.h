#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/field_value.h"

/// Content headers and the properties of class basic. Encoded properties are the property flags
/// and the property list, without the class, weight and body size before them: the broker keeps
/// that blob and replays it unchanged.
namespace warren::codec::amqp091 {

using base::Bytes;
using base::ByteView;

/// The payload of a content header frame, taken apart. `properties` points into the payload.
struct ContentHeader {
  std::uint16_t class_id = 0;
  std::uint64_t body_size = 0;
  ByteView properties;
};
/// Checks only that the fixed part is there; `scan_properties` checks the rest. The other
/// direction is `write_header_frame`.
base::Result<ContentHeader> split_content_header(ByteView payload);

/// All properties of a message, owned, in wire order.
struct Properties {
  std::optional<std::string> content_type;
  std::optional<std::string> content_encoding;
  std::optional<base::FieldTable> headers;
  std::optional<std::uint8_t> delivery_mode;
  std::optional<std::uint8_t> priority;
  std::optional<std::string> correlation_id;
  std::optional<std::string> reply_to;
  std::optional<std::string> expiration;
  std::optional<std::string> message_id;
  std::optional<std::uint64_t> timestamp;
  std::optional<std::string> type;
  std::optional<std::string> user_id;
  std::optional<std::string> app_id;
  std::optional<std::string> cluster_id;

  bool operator==(const Properties&) const = default;
};

/// Fails with frame_error on bytes cut short or left over, on flags that name no property of
/// class basic, and on a malformed headers table.
base::Result<Properties> decode_properties(ByteView encoded);
/// Appends flags and list. Short strings must be at most 255 octets long.
void encode_properties(Bytes& out, const Properties& properties);

inline constexpr std::uint8_t persistent_delivery_mode = 2;
/// The milliseconds that an expiration says; empty for one that is absent or says none. Saturates.
std::optional<std::uint64_t> read_expiration(std::optional<ByteView> expiration);

/// What routing and queues look at on each publish. Views point into the encoded bytes.
struct PropertyScan {
  std::optional<std::uint8_t> delivery_mode;
  std::optional<std::uint8_t> priority;
  std::optional<ByteView> expiration;
  std::optional<ByteView> reply_to;
  std::optional<ByteView> user_id;
  bool has_headers = false;
  /// The encoded headers table without its length, for `base::read_field_table_body`.
  ByteView headers;
};
/// Reads without allocating. Fails as `decode_properties` does, but doesn't look into headers.
base::Result<PropertyScan> scan_properties(ByteView encoded);

}  // namespace warren::codec::amqp091
