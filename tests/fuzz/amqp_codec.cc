// What clients send, as values: frames, methods, tables, content headers.
#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "base/field_value.h"
#include "base/utf8.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "codec/amqp091_properties.h"
#include "fuzz/targets.h"

namespace warren::fuzz {
namespace {

using namespace codec::amqp091;

struct Parsed {
  std::vector<Bytes> frames;  ///< encoded again
  bool has_failed = false;
};

/// Feeds `stream` in pieces of `step` octets.
Parsed parse(ByteView stream, std::uint32_t frame_max, std::size_t step) {
  FrameParser parser(frame_max);
  Parsed parsed;
  Bytes payload;
  while (!stream.empty() && !parsed.has_failed) {
    parser.feed(stream.substr(0, step));
    for (Frame frame; parser.next(frame);) {
      if (frame.is_first) payload.clear();
      payload += frame.payload;
      if (!frame.is_last) continue;
      ASSERT(payload.size() == frame.size);
      write_frame(parsed.frames.emplace_back(), frame.type, frame.channel, payload);
    }
    if (parser.error()) {
      parsed.has_failed = true;
      ASSERT(!parser.error()->text().empty());
    }
    ASSERT(parsed.has_failed || parser.buffered() <= frame_max + frame_overhead);
    stream.remove_prefix(std::min(step, stream.size()));
  }
  return parsed;
}

/// The payload of the one frame in `encoded`.
ByteView payload_of(ByteView encoded) {
  ASSERT(encoded.size() >= frame_overhead);
  return encoded.substr(7, encoded.size() - frame_overhead);
}

}  // namespace

void fuzz_frame(ByteView input) {
  if (input.empty()) return;
  const auto step = static_cast<std::size_t>(static_cast<unsigned char>(input[0])) + 1;
  input.remove_prefix(1);
  if (input.size() >= protocol_header_size)
    (void)read_protocol_header(input.substr(0, protocol_header_size));
  const Parsed whole = parse(input, frame_min_size, std::max<std::size_t>(input.size(), 1));
  const Parsed pieces = parse(input, frame_min_size, step);
  ASSERT(whole.frames == pieces.frames);
  ASSERT(whole.has_failed == pieces.has_failed);
  Bytes again;
  for (const Bytes& frame : whole.frames) again += frame;
  ASSERT(input.starts_with(again));
}

void fuzz_method(ByteView input) {
  auto method = decode_method(input);
  if (peek_method(input) == BasicPublish::ids) {
    // It leaves the texts to its caller.
    const auto publish = decode_publish(input);
    ASSERT(method.has_value() == (publish && base::is_utf8(publish->exchange) &&
                                  base::is_utf8(publish->routing_key)));
  }
  if (!method) return;
  ASSERT(ids(*method).class_id == class_id(*method));
  Bytes once, twice;
  encode_method(once, 1, *method);
  auto again = decode_method(payload_of(once));
  ASSERT(again);
  encode_method(twice, 1, *again);
  ASSERT(once == twice);
}

void fuzz_table(ByteView input) {
  auto table = base::read_field_table_body(input);
  if (!table) return;
  Bytes once, twice;
  base::ByteWriter first(once), second(twice);
  base::write_field_table(first, *table);
  base::ByteReader reader(once);
  auto again = base::read_field_table(reader);
  ASSERT(again && reader.empty());
  base::write_field_table(second, *again);
  ASSERT(once == twice);
  for (const auto& [name, value] : *table) {
    (void)value.type_name();
    ASSERT(table->find(name));
  }
}

void fuzz_content(ByteView input) {
  auto header = split_content_header(input);
  if (!header) return;
  ASSERT(input.size() == 12 + header->properties.size());
  auto scan = scan_properties(header->properties);
  auto properties = decode_properties(header->properties);
  if (!properties) return;
  ASSERT(scan);
  ASSERT(scan->delivery_mode == properties->delivery_mode);
  ASSERT(scan->priority == properties->priority);
  ASSERT(scan->has_headers == properties->headers.has_value());
  ASSERT(scan->expiration.has_value() == properties->expiration.has_value());
  ASSERT(!scan->expiration || *scan->expiration == *properties->expiration);
  ASSERT(!scan->reply_to || *scan->reply_to == *properties->reply_to);
  ASSERT(!scan->user_id || *scan->user_id == *properties->user_id);
  Bytes once, twice;
  encode_properties(once, *properties);
  auto again = decode_properties(once);
  ASSERT(again);
  encode_properties(twice, *again);
  ASSERT(once == twice);
}

}  // namespace warren::fuzz
