#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
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
};

/// Puts the frames of one channel's publishes together: method, header, body frames. The other
/// methods are only told apart. A body over the limit is counted and thrown away.
class ContentAssembler {
 public:
  explicit ContentAssembler(std::uint64_t max_message_size) : max_size_(max_message_size) {}

  /// True between a basic.publish and the end of its content.
  bool is_assembling() const { return stage_ != Stage::method; }
  /// Takes the payload of a basic.publish.
  Verdict begin(base::ByteView payload);
  /// Takes the next frame while assembling. A frame that does not belong there fails with 505.
  Verdict add(const codec::amqp091::Frame& frame);
  /// The publish is whole; `take` it before the next frame.
  bool is_complete() const { return is_complete_; }
  /// The views live until the next `begin` and while the last frame lives.
  Publish take();

 private:
  enum class Stage { method, header, body };

  Verdict add_header(base::ByteView payload);
  void add_body(base::ByteView payload);

  std::uint64_t max_size_;
  Stage stage_ = Stage::method;
  bool is_complete_ = false;
  /// More came than the header said. Such content is never complete.
  bool is_overfull_ = false;
  bool mandatory_ = false;
  bool immediate_ = false;
  std::string exchange_;
  std::string routing_key_;
  base::Bytes properties_;
  std::uint64_t body_size_ = 0;
  std::uint64_t received_ = 0;
  base::Bytes body_;
  base::ByteView whole_body_;  ///< when the body is one frame
};

}  // namespace warren::session::amqp091
