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
/// A body frame of at least this size is handed out in pieces rather than copied.
constexpr std::size_t cut_body_bytes = 512;

bool is_known(std::uint8_t type, std::size_t payload_size) {
  switch (type) {
    case frame_method:
    case frame_header:
    case frame_body:
      return payload_size >= least_payload[type];
    case frame_heartbeat:
      return payload_size == 0;
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

std::string describe_frame(const Frame& frame) {
  return describe(frame.type, frame.payload.substr(0, described_octets), frame.size);
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

/// Takes what was handed out off the pending octets, then looks for the next frame in those and
/// the input together.
bool FrameParser::next_slowly(Frame& frame) {
  if (error_) return false;
  if (is_taken_) {
    is_taken_ = false;
    pending_.clear();
    if (pending_.capacity() > kept_capacity) Bytes().swap(pending_);
  }
  if (is_in_body_) return next_piece(frame);

  const bool is_in_place = pending_.empty();
  const ByteView header = gather(frame_header_size);
  if (header.empty() || !judge_header(header)) return false;
  frame = {static_cast<std::uint8_t>(header[0]),
           base::load_network<std::uint16_t>(header.data() + 1),
           {},
           base::load_network<std::uint32_t>(header.data() + 3)};
  frame.is_in_place = is_in_place;
  const std::size_t whole = frame.size + frame_overhead;
  if (frame.type == frame_body && frame.size >= cut_body_bytes &&
      (!is_in_place || input_.size() < whole)) {
    if (gather(frame_header_size + described_octets).empty()) return false;
    begin_body(frame);
    return true;
  }
  const ByteView bytes = gather(whole);
  if (bytes.empty()) return false;
  frame.payload = bytes.substr(frame_header_size, frame.size);
  if (!judge_frame(frame, static_cast<std::uint8_t>(bytes.back()))) return false;
  if (is_in_place)
    input_.remove_prefix(whole);
  else
    is_taken_ = true;
  return true;
}

/// The first `wanted` octets of the frame; empty when there are not enough, and then all there
/// are have become pending.
ByteView FrameParser::gather(std::size_t wanted) {
  if (pending_.empty() && input_.size() >= wanted) return input_.substr(0, wanted);
  if (pending_.size() < wanted) {
    const ByteView moved = input_.substr(0, wanted - pending_.size());
    pending_.append(moved);
    input_.remove_prefix(moved.size());
  }
  return pending_.size() < wanted ? ByteView() : ByteView(pending_).substr(0, wanted);
}

/// Hands out what there is of a body, which is not all.
void FrameParser::begin_body(Frame& frame) {
  if (frame.is_in_place) {
    frame.payload = input_.substr(frame_header_size, frame.size);
    input_ = {};
  } else {
    frame.payload = ByteView(pending_).substr(frame_header_size, frame.size);
    is_taken_ = true;
  }
  frame.is_last = false;
  is_in_body_ = true;
  body_ = frame;
  body_.is_first = false;
  body_missing_ = frame.size - frame.payload.size();
  body_start_ = frame.payload.substr(0, described_octets);
}

bool FrameParser::next_piece(Frame& frame) {
  if (input_.empty()) return false;
  frame = body_;
  frame.is_in_place = true;
  frame.payload = input_.substr(0, body_missing_);
  input_.remove_prefix(frame.payload.size());
  body_missing_ -= frame.payload.size();
  if (body_missing_ > 0 || input_.empty()) return true;
  frame.is_last = true;
  if (!judge_frame(frame, static_cast<std::uint8_t>(input_.front()))) return false;
  input_.remove_prefix(1);
  is_in_body_ = false;
  return true;
}

void FrameParser::pass_over(std::size_t octets) {
  ASSERT(input_.empty() && octets <= body_missing_);
  body_missing_ -= octets;
}

bool FrameParser::judge_header(ByteView header) {
  base::ByteReader reader(header);
  FrameError error;
  error.kind = FrameError::Kind::too_large;
  error.type = reader.u8();
  error.channel = reader.u16();
  error.size = reader.u32();
  error.limit = frame_max_ - frame_overhead;
  if (error.size <= frame_max_) return true;
  error_ = std::make_unique<FrameError>(std::move(error));
  return false;
}

bool FrameParser::judge_frame(Frame& frame, std::uint8_t end_octet) {
  if (end_octet == frame_end && is_known(frame.type, frame.size)) return true;
  error_ = std::make_unique<FrameError>(FrameError{
      .kind = end_octet == frame_end ? FrameError::Kind::unknown_type : FrameError::Kind::bad_end,
      .type = frame.type,
      .channel = frame.channel,
      .end_octet = end_octet,
      .size = frame.size,
      .limit = frame_max_ - frame_overhead,
      .octets = is_in_body_ ? body_start_ : Bytes(frame.payload.substr(0, described_octets))});
  return false;
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
