#include "codec/amqp091_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "codec/erlang_term.h"

namespace warren::codec::amqp091 {
namespace {

constexpr std::size_t frame_header_size = 7;
/// Beyond this, the memory of a copied frame is given back once the frame is done with.
constexpr std::size_t kept_capacity = 16 * 1024;
constexpr std::size_t described_octets = 16;

bool is_known(std::uint8_t type, ByteView payload) {
  switch (type) {
    case frame_method:
    case frame_header:
    case frame_body:
      return true;
    case frame_heartbeat:
      return payload.empty();
    default:
      return false;
  }
}

std::size_t last_line_size(std::string_view text) {
  std::size_t line_end = text.rfind('\n');
  return line_end == std::string_view::npos ? text.size() : text.size() - line_end - 1;
}

/// `octets` are at most the first 16 of `payload_size`.
std::string describe(std::uint8_t type, ByteView octets, std::size_t payload_size) {
  std::string text = fmt::format("type {}, {} octets = ", type,
                                 payload_size <= described_octets ? "all" : "first 16");
  return text + erlang::print_pretty(erlang::binary(octets), text.size());
}

}  // namespace

std::optional<ProtocolVersion> read_protocol_header(ByteView octets) {
  ASSERT(octets.size() == protocol_header_size);
  using namespace std::string_view_literals;
  if (!octets.starts_with("AMQP")) return {};
  ByteView version = octets.substr(4);
  if (version == "\0\0\x09\x01"sv || version == "\x01\x01\0\x09"sv) return ProtocolVersion{0, 9};
  if (version == "\x01\x01\x08\0"sv || version == "\x01\x01\x09\x01"sv)
    return ProtocolVersion{8, 0};
  return {};
}

std::string describe_frame(std::uint8_t type, ByteView payload) {
  return describe(type, payload.substr(0, described_octets), payload.size());
}

std::string FrameError::text() const {
  using erlang::atom;
  std::size_t payload_size = kind == Kind::too_large ? 0 : size;
  std::string text = describe(type, octets, payload_size) + ": ";
  erlang::Term reason = atom("unknown_frame");
  if (kind == Kind::bad_end)
    reason = erlang::Tuple{atom("invalid_frame_end_marker"), int{end_octet}};
  else if (kind == Kind::too_large)
    reason = erlang::Tuple{atom("frame_too_large"), std::int64_t{size}, std::int64_t{limit}};
  return text + erlang::print_pretty(reason, last_line_size(text));
}

FrameParser::FrameParser(std::uint32_t frame_max) {
  set_frame_max(frame_max);
}

void FrameParser::set_frame_max(std::uint32_t frame_max) {
  ASSERT(frame_max >= frame_min_size);
  frame_max_ = frame_max;
}

void FrameParser::feed(ByteView bytes) {
  ASSERT(input_.empty());
  input_ = bytes;
}

void FrameParser::hold() {
  pending_.append(input_);
  input_ = {};
}

std::expected<std::optional<Frame>, FrameError> FrameParser::next() {
  if (error_) return std::unexpected(*error_);
  if (taken_ == pending_.size()) {
    taken_ = 0;
    pending_.clear();
    if (pending_.capacity() > kept_capacity) Bytes().swap(pending_);
  }
  bool is_copied = !pending_.empty();
  auto gather = [&](std::size_t wanted) -> ByteView {
    if (!is_copied && input_.size() >= wanted) return input_.substr(0, wanted);
    if (!top_up(wanted)) return {};
    return ByteView(pending_).substr(taken_, wanted);
  };

  ByteView header = gather(frame_header_size);
  if (header.empty()) return std::nullopt;
  error_ = judge_header(header);
  if (error_) return std::unexpected(*error_);
  std::size_t payload_size = base::ByteReader(header.substr(3)).u32();
  ByteView frame = gather(payload_size + frame_overhead);
  if (frame.empty()) return std::nullopt;
  if (is_copied)
    taken_ += frame.size();
  else
    input_.remove_prefix(frame.size());
  return judge_frame(frame);
}

/// Moves octets from the input until `wanted` are pending; false when there are not enough.
bool FrameParser::top_up(std::size_t wanted) {
  std::size_t have = pending_.size() - taken_;
  if (have >= wanted) return true;
  pending_.erase(0, taken_);
  taken_ = 0;
  ByteView moved = input_.substr(0, wanted - have);
  pending_.append(moved);
  input_.remove_prefix(moved.size());
  return pending_.size() == wanted;
}

std::optional<FrameError> FrameParser::judge_header(ByteView header) const {
  base::ByteReader reader(header);
  FrameError error;
  error.kind = FrameError::Kind::too_large;
  error.type = reader.u8();
  error.channel = reader.u16();
  error.size = reader.u32();
  error.limit = frame_max_ - frame_overhead;
  if (error.size > frame_max_) return error;
  return {};
}

std::expected<std::optional<Frame>, FrameError> FrameParser::judge_frame(ByteView bytes) {
  base::ByteReader reader(bytes);
  Frame frame;
  frame.type = reader.u8();
  frame.channel = reader.u16();
  frame.payload = reader.long_string();
  std::uint8_t end_octet = reader.u8();
  if (end_octet == frame_end && is_known(frame.type, frame.payload)) return frame;
  error_ = FrameError{
      .kind = end_octet == frame_end ? FrameError::Kind::unknown_type : FrameError::Kind::bad_end,
      .type = frame.type,
      .channel = frame.channel,
      .end_octet = end_octet,
      .size = static_cast<std::uint32_t>(frame.payload.size()),
      .limit = frame_max_ - frame_overhead,
      .octets = Bytes(frame.payload.substr(0, described_octets))};
  return std::unexpected(*error_);
}

void write_frame(Bytes& out, std::uint8_t type, std::uint16_t channel, ByteView payload) {
  ASSERT(payload.size() <= UINT32_MAX);
  base::ByteWriter writer(out);
  writer.u8(type);
  writer.u16(channel);
  writer.long_string(payload);
  writer.u8(frame_end);
}

void write_header_frame(Bytes& out, std::uint16_t channel, std::uint16_t class_id,
                        std::uint64_t body_size, ByteView properties) {
  base::ByteWriter writer(out);
  writer.u8(frame_header);
  writer.u16(channel);
  writer.u32(static_cast<std::uint32_t>(12 + properties.size()));
  writer.u16(class_id);
  writer.u16(0);
  writer.u64(body_size);
  writer.raw(properties);
  writer.u8(frame_end);
}

void write_body_frames(Bytes& out, std::uint16_t channel, ByteView body, std::uint32_t frame_max) {
  ASSERT(frame_max == 0 || frame_max > frame_overhead);
  std::size_t largest = frame_max == 0 ? UINT32_MAX : frame_max - frame_overhead;
  while (!body.empty()) {
    ByteView piece = body.substr(0, largest);
    write_frame(out, frame_body, channel, piece);
    body.remove_prefix(piece.size());
  }
}

void write_heartbeat(Bytes& out) {
  write_frame(out, frame_heartbeat, 0, {});
}

}  // namespace warren::codec::amqp091
