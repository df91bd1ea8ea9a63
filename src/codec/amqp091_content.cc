#include "codec/amqp091_content.h"

#include "base/assert.h"
#include "codec/amqp091_frame.h"

namespace warren::codec::amqp091 {
namespace {

constexpr std::size_t frame_start_size = 7;
/// Class, weight and body size, before the properties.
constexpr std::size_t fixed_header_size = 12;

char* store_frame_start(char* to, std::uint8_t type, std::uint16_t channel, std::size_t size) {
  *to++ = static_cast<char>(type);
  to = base::store_network(to, channel);
  return base::store_network(to, static_cast<std::uint32_t>(size));
}

char* store_frame_end(char* to) {
  *to = static_cast<char>(frame_end);
  return to + 1;
}

std::size_t header_frame_size(const ContentView& content) {
  return frame_overhead + fixed_header_size + content.properties.size();
}

char* store_header_frame(char* to, std::uint16_t channel, std::uint16_t class_id,
                         const ContentView& content) {
  to = store_frame_start(to, frame_header, channel, fixed_header_size + content.properties.size());
  to = base::store_network(to, class_id);
  to = base::store_network(to, std::uint16_t{0});
  to = base::store_network(to, std::uint64_t{content.body.size()});
  to = base::store_bytes(to, content.properties);
  return store_frame_end(to);
}

std::size_t largest_payload(std::uint32_t frame_max) {
  ASSERT(frame_max == 0 || frame_max > frame_overhead);
  return frame_max == 0 ? UINT32_MAX : frame_max - frame_overhead;
}

/// Whether the body is one small frame, or none: then all is written with one reservation.
bool is_small(const ContentView& content, std::uint32_t frame_max) {
  return content.body.size() < referred_body_bytes &&
         content.body.size() <= largest_payload(frame_max);
}

std::size_t small_body_frame_size(const ContentView& content) {
  return content.body.empty() ? 0 : frame_overhead + content.body.size();
}

char* store_small_body(char* to, std::uint16_t channel, ByteView body) {
  if (body.empty()) return to;
  to = store_frame_start(to, frame_body, channel, body.size());
  to = base::store_bytes(to, body);
  return store_frame_end(to);
}

void write_large_body(base::OutputBuffer& out, std::uint16_t channel, const ContentView& content,
                      std::uint32_t frame_max) {
  const std::size_t largest = largest_payload(frame_max);
  ByteView rest = content.body;
  while (!rest.empty()) {
    const ByteView piece = rest.substr(0, largest);
    rest.remove_prefix(piece.size());
    store_frame_start(base::extend(out.text(), frame_start_size), frame_body, channel,
                      piece.size());
    out.append_block(content.block, piece);
    out.text().push_back(static_cast<char>(frame_end));
  }
}

}  // namespace

void write_content(base::OutputBuffer& out, std::uint16_t channel, std::uint16_t class_id,
                   const ContentView& content, std::uint32_t frame_max) {
  store_header_frame(base::extend(out.text(), header_frame_size(content)), channel, class_id,
                     content);
  if (is_small(content, frame_max))
    store_small_body(base::extend(out.text(), small_body_frame_size(content)), channel,
                     content.body);
  else
    write_large_body(out, channel, content, frame_max);
}

void write_delivery(base::OutputBuffer& out, std::uint16_t channel, const DeliverView& deliver,
                    const ContentView& content, std::uint32_t frame_max) {
  const bool is_whole = is_small(content, frame_max);
  const std::size_t size = deliver_size(deliver) + header_frame_size(content) +
                           (is_whole ? small_body_frame_size(content) : 0);
  char* to = base::extend(out.text(), size);
  to = store_deliver(to, channel, deliver);
  to = store_header_frame(to, channel, BasicDeliver::ids.class_id, content);
  if (is_whole)
    store_small_body(to, channel, content.body);
  else
    write_large_body(out, channel, content, frame_max);
}

}  // namespace warren::codec::amqp091
