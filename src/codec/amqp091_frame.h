#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"

/// AMQP 0-9-1 framing: type (1 octet), channel (2), size (4), payload, end octet 0xCE.
namespace warren::codec::amqp091 {

using base::Bytes;
using base::ByteView;

inline constexpr std::uint8_t frame_method = 1;
inline constexpr std::uint8_t frame_header = 2;
inline constexpr std::uint8_t frame_body = 3;
inline constexpr std::uint8_t frame_heartbeat = 8;
inline constexpr std::uint8_t frame_end = 0xCE;
/// By type, up to `frame_body`: shorter ones are none of that type. A method has its ids, a
/// content header a class, a weight and a size.
inline constexpr std::uint8_t least_payload[] = {0, 4, 12, 0};
/// The octets of a frame that are not payload.
inline constexpr std::uint32_t frame_overhead = 8;
/// The largest frame allowed before tuning; a negotiated frame_max can't be lower.
inline constexpr std::uint32_t frame_min_size = 4096;

/// What a client says first. The two versions are those that connection.start answers with.
struct ProtocolVersion {
  std::uint8_t major = 0;
  std::uint8_t minor = 9;
  bool operator==(const ProtocolVersion&) const = default;
};
inline constexpr std::size_t protocol_header_size = 8;
/// The header to answer with before closing when `read_protocol_header` gives nothing.
inline constexpr ByteView protocol_header{"AMQP\0\0\x09\x01", protocol_header_size};
/// Judges the first 8 octets of a connection: 0-0-9-1 and 1-1-0-9 are version 0-9, 1-1-8-0 and
/// 1-1-9-1 are 8-0; anything else is empty. `octets` must be 8 long.
std::optional<ProtocolVersion> read_protocol_header(ByteView octets);

/// A frame as it arrived, or a piece of a body frame that the end of the fed bytes cut.
struct Frame {
  std::uint8_t type = 0;
  std::uint16_t channel = 0;
  /// Borrowed: see FrameParser::next.
  ByteView payload;
  /// Of the whole frame.
  std::uint32_t size = 0;
  bool is_first = true;  ///< no piece of the frame came before
  bool is_last = true;   ///< nothing of the frame is missing, and its end octet was checked
  /// The payload lies in the bytes that were fed, and lives as long as they do.
  bool is_in_place = true;
};

/// Why a byte stream stopped being frames. Nothing after it can be read.
struct FrameError {
  enum class Kind {
    bad_end,       ///< `end_octet` stood where 0xCE belongs
    too_large,     ///< `size` is over `limit`; found before the payload is read
    unknown_type,  ///< neither of the four types, a heartbeat with a payload, or too short
  };
  Kind kind = Kind::bad_end;
  std::uint8_t type = 0;
  std::uint16_t channel = 0;
  std::uint8_t end_octet = 0;
  std::uint32_t size = 0;
  /// The largest payload that was negotiated: frame_max less the overhead.
  std::uint32_t limit = 0;
  /// The first octets of the payload, at most 16; none when it was too large.
  Bytes octets;

  /// "type 9, all octets = <<"abc">>: unknown_frame", as RabbitMQ words a FRAME_ERROR.
  std::string text() const;
};

/// "type 1, all octets = <<0,20,0,10,0>>", or "first 16 octets = ..." for a longer payload: the
/// text of UNEXPECTED_FRAME. Octets print as text where all are printable.
std::string describe_frame(const Frame& frame);

/// Cuts a byte stream into frames. Give it what arrived with `feed`, then call `next` until it
/// is false. A frame that lies whole in the fed bytes is handed out where it lies. Of one cut by
/// the end of the bytes, a large body is handed out in pieces, which have at least 16 octets but
/// for the last one; anything else is copied until it is whole. So it keeps at most one frame.
class FrameParser {
 public:
  /// Frames may exceed `frame_max` by 8 octets, as RabbitMQ tolerates.
  explicit FrameParser(std::uint32_t frame_max = frame_min_size);

  /// Applies to frames not yet begun by `next`. At least `frame_min_size`.
  void set_frame_max(std::uint32_t frame_max);

  /// `bytes` must stay valid until `next` was false; only then feed again.
  void feed(ByteView bytes);
  /// Finds the next frame or piece. False when more bytes are needed, or when `error` says why
  /// there can be no more. The payload lives until the next call of any member, and longer when
  /// it is in place.
  bool next(Frame& frame) {
    if (pending_.empty() && !is_in_body_ && input_.size() >= frame_overhead) {
      const std::uint32_t size = base::load_network<std::uint32_t>(input_.data() + 3);
      const auto type = static_cast<std::uint8_t>(input_[0]);
      // Whatever is unusual is left to the thorough way.
      if (size <= frame_max_ && size <= input_.size() - frame_overhead && type >= frame_method &&
          type <= frame_body && size >= least_payload[type] &&
          static_cast<std::uint8_t>(input_[7 + size]) == frame_end) {
        frame = {type, base::load_network<std::uint16_t>(input_.data() + 1),
                 ByteView(input_.data() + 7, size), size};
        input_.remove_prefix(size + frame_overhead);
        return true;
      }
    }
    return next_slowly(frame);
  }
  /// What was fed and not looked at yet: whoever stops early feeds it again later.
  ByteView take_rest() { return std::exchange(input_, {}); }
  /// When all that was fed is used up in the middle of a body that is handed out in pieces: how
  /// many octets of it are still to come, and on which channel; else none.
  std::size_t missing_of_body() const { return error_ ? 0 : body_missing_; }
  std::uint16_t body_channel() const { return body_.channel; }
  /// So many of those, at most all, went elsewhere and will not be fed.
  void pass_over(std::size_t octets);
  /// Null while nothing is wrong; once set it stays.
  const FrameError* error() const { return error_.get(); }

  /// Octets kept from earlier feeds, the frame last handed out not counted.
  std::size_t buffered() const { return is_taken_ ? 0 : pending_.size(); }

 private:
  bool next_slowly(Frame& frame);
  ByteView gather(std::size_t wanted);
  bool judge_header(ByteView header);
  bool judge_frame(Frame& frame, std::uint8_t end_octet);
  void begin_body(Frame& frame);
  bool next_piece(Frame& frame);

  std::uint32_t frame_max_;
  bool is_taken_ = false;    ///< what is pending was handed out
  bool is_in_body_ = false;  ///< a body is handed out in pieces
  ByteView input_;
  Bytes pending_;  ///< the frame that was cut, as far as it has come

  Frame body_;
  std::size_t body_missing_ = 0;  ///< zero outside of such a body
  Bytes body_start_;  ///< its first octets, for errors

  std::unique_ptr<const FrameError> error_;
};

/// Appends a content header frame that replays encoded properties (flags and list).
void write_header_frame(Bytes& out, std::uint16_t channel, std::uint16_t class_id,
                        std::uint64_t body_size, ByteView properties);
/// Appends `body` cut into frames of at most `frame_max` octets in all (0: one frame). An empty
/// body has no frame.
void write_body_frames(Bytes& out, std::uint16_t channel, ByteView body, std::uint32_t frame_max);
void write_heartbeat(Bytes& out);
/// Appends any one frame.
void write_frame(Bytes& out, std::uint8_t type, std::uint16_t channel, ByteView payload);

}  // namespace warren::codec::amqp091
