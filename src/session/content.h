#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "broker/message.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "session/errors.h"

namespace warren::session::amqp091 {

/// A basic.publish with its content, seen in place.
struct Publish {
  base::ByteView exchange;
  base::ByteView routing_key;
  bool mandatory = false;
  bool immediate = false;
  base::ByteView properties;  ///< encoded
  base::ByteView body;        ///< empty when it was over the limit
  std::uint64_t body_size = 0;
  /// The message, where it was put together as its body came; else empty.
  broker::Message message = {};
};

/// Puts the frames of one channel's publishes together: method, header, body frames. The other
/// methods are only told apart. What lies in the fed bytes is not copied before `keep`. A body
/// that comes in pieces is copied once, into the message, unless it is very large. A body over
/// the limit is counted and thrown away; so is one that is longer than its header said, which is
/// never whole.
class ContentAssembler {
 public:
  explicit ContentAssembler(std::uint64_t max_message_size) : max_size_(max_message_size) {}

  /// True between a basic.publish and the end of its content.
  bool is_assembling() const { return stage_ != Stage::method; }
  /// Takes a basic.publish.
  Verdict begin(const codec::amqp091::Frame& frame);
  /// Takes the next frame while assembling. A frame that does not belong there fails with 505.
  Verdict add(const codec::amqp091::Frame& frame);
  /// Where the next octets of the body belong, if they can be put there; else empty.
  std::span<char> room() const { return builder_ ? builder_->room() : std::span<char>(); }
  /// So many were put there.
  void note_filled(std::size_t octets) {
    builder_->note_filled(octets);
    received_ += octets;
  }
  /// The publish is whole; `take` it before the next frame.
  bool is_complete() const { return is_complete_; }
  /// The views live until the next `begin`, and while the last frame and the fed bytes live.
  Publish take();
  /// The fed bytes are about to go: copies what is referred to and still needed.
  void keep() {
    if (is_assembling() && !is_kept_) copy_views();
    if (!is_assembling() && !body_.empty()) base::Bytes().swap(body_);
  }

 private:
  enum class Stage { method, header, body };

  Verdict add_header(const codec::amqp091::Frame& frame);
  void add_body(const codec::amqp091::Frame& frame);
  void add_piece(base::ByteView piece);
  void copy_views();
  base::ByteView body() const;

  std::uint64_t max_size_;
  Stage stage_ = Stage::method;
  bool is_complete_ = false;
  bool is_kept_ = false;  ///< the views of names and properties point to `kept_`
  Publish publish_;
  std::uint64_t received_ = 0;
  std::optional<broker::MessageBuilder> builder_;
  base::Bytes body_;  ///< when it is too large to reserve memory on its header's word
  base::Bytes kept_;
};

}  // namespace warren::session::amqp091
