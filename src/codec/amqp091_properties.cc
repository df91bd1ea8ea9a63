#include "codec/amqp091_properties.h"

#include <charconv>

namespace warren::codec::amqp091 {
namespace {

constexpr std::uint16_t content_type_flag = 0x8000;
constexpr std::uint16_t content_encoding_flag = 0x4000;
constexpr std::uint16_t headers_flag = 0x2000;
constexpr std::uint16_t delivery_mode_flag = 0x1000;
constexpr std::uint16_t priority_flag = 0x0800;
constexpr std::uint16_t correlation_id_flag = 0x0400;
constexpr std::uint16_t reply_to_flag = 0x0200;
constexpr std::uint16_t expiration_flag = 0x0100;
constexpr std::uint16_t message_id_flag = 0x0080;
constexpr std::uint16_t timestamp_flag = 0x0040;
constexpr std::uint16_t type_flag = 0x0020;
constexpr std::uint16_t user_id_flag = 0x0010;
constexpr std::uint16_t app_id_flag = 0x0008;
constexpr std::uint16_t cluster_id_flag = 0x0004;
/// The lowest bit would announce another word of flags, which class basic never has.
constexpr std::uint16_t unknown_flags = 0x0003;

auto malformed() {
  return base::fail(base::ErrorCode::frame_error, "malformed properties");
}

/// Calls `each(flag, member)` for every property in wire order.
template <typename P, typename F>
void for_each_property(P& properties, F&& each) {
  each(content_type_flag, properties.content_type);
  each(content_encoding_flag, properties.content_encoding);
  each(headers_flag, properties.headers);
  each(delivery_mode_flag, properties.delivery_mode);
  each(priority_flag, properties.priority);
  each(correlation_id_flag, properties.correlation_id);
  each(reply_to_flag, properties.reply_to);
  each(expiration_flag, properties.expiration);
  each(message_id_flag, properties.message_id);
  each(timestamp_flag, properties.timestamp);
  each(type_flag, properties.type);
  each(user_id_flag, properties.user_id);
  each(app_id_flag, properties.app_id);
  each(cluster_id_flag, properties.cluster_id);
}

struct PropertyReader {
  base::ByteReader& reader;

  void operator()(std::optional<std::string>& into) { into = reader.short_string(); }
  void operator()(std::optional<std::uint8_t>& into) { into = reader.u8(); }
  void operator()(std::optional<std::uint64_t>& into) { into = reader.u64(); }
  void operator()(std::optional<base::FieldTable>& into) {
    auto table = base::read_field_table(reader);
    if (table)
      into = std::move(*table);
    else
      reader.fail();
  }
};

struct PropertyWriter {
  base::ByteWriter& writer;

  void operator()(const std::string& value) { writer.short_string(value); }
  void operator()(std::uint8_t value) { writer.u8(value); }
  void operator()(std::uint64_t value) { writer.u64(value); }
  void operator()(const base::FieldTable& value) { base::write_field_table(writer, value); }
};

}  // namespace

base::Result<ContentHeader> split_content_header(ByteView payload) {
  base::ByteReader reader(payload);
  ContentHeader header;
  header.class_id = reader.u16();
  reader.u16();
  header.body_size = reader.u64();
  header.properties = reader.rest();
  if (reader.failed() || header.properties.size() < 2)
    return base::fail(base::ErrorCode::frame_error, "content header cut short");
  return header;
}

base::Result<Properties> decode_properties(ByteView encoded) {
  base::ByteReader reader(encoded);
  std::uint16_t flags = reader.u16();
  if ((flags & unknown_flags) != 0) return malformed();
  Properties properties;
  PropertyReader read{reader};
  for_each_property(properties, [&](std::uint16_t flag, auto& member) {
    if ((flags & flag) != 0) read(member);
  });
  if (reader.failed() || !reader.empty()) return malformed();
  return properties;
}

void encode_properties(Bytes& out, const Properties& properties) {
  std::uint16_t flags = 0;
  for_each_property(properties, [&](std::uint16_t flag, const auto& member) {
    if (member) flags |= flag;
  });
  base::ByteWriter writer(out);
  writer.u16(flags);
  PropertyWriter write{writer};
  for_each_property(properties, [&](std::uint16_t, const auto& member) {
    if (member) write(*member);
  });
}

base::Result<PropertyScan> scan_properties(ByteView encoded) {
  base::ByteReader reader(encoded);
  std::uint16_t flags = reader.u16();
  if ((flags & unknown_flags) != 0) return malformed();
  PropertyScan scan;
  auto skip_string = [&](std::uint16_t flag) {
    if ((flags & flag) != 0) reader.short_string();
  };
  auto read_string = [&](std::uint16_t flag, std::optional<ByteView>& into) {
    if ((flags & flag) != 0) into = reader.short_string();
  };
  auto read_octet = [&](std::uint16_t flag, std::optional<std::uint8_t>& into) {
    if ((flags & flag) != 0) into = reader.u8();
  };
  skip_string(content_type_flag);
  skip_string(content_encoding_flag);
  scan.has_headers = (flags & headers_flag) != 0;
  if (scan.has_headers) scan.headers = reader.long_string();
  read_octet(delivery_mode_flag, scan.delivery_mode);
  read_octet(priority_flag, scan.priority);
  skip_string(correlation_id_flag);
  read_string(reply_to_flag, scan.reply_to);
  read_string(expiration_flag, scan.expiration);
  skip_string(message_id_flag);
  if ((flags & timestamp_flag) != 0) reader.u64();
  skip_string(type_flag);
  read_string(user_id_flag, scan.user_id);
  skip_string(app_id_flag);
  skip_string(cluster_id_flag);
  if (reader.failed() || !reader.empty()) return malformed();
  return scan;
}

std::optional<std::uint64_t> read_expiration(std::optional<ByteView> expiration) {
  ByteView digits = expiration.value_or(ByteView());
  const bool is_negative = digits.starts_with('-');
  if (is_negative || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != ByteView::npos) return {};
  std::uint64_t number = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (read.ec != std::errc()) number = UINT64_MAX;
  if (is_negative && number != 0) return {};
  return number;
}

}  // namespace warren::codec::amqp091
