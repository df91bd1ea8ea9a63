#include "session/content.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "codec/amqp091_properties.h"

namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {
/// A body buffer larger than this is given back after use.
constexpr std::size_t kept_body_bytes = 256 * 1024;

std::unexpected<Failure> refuse_frame(std::string text) {
  return std::unexpected(
      Failure{ReplyCode::unexpected_frame, std::move(text), BasicPublish::ids, false});
}
}  // namespace

Verdict ContentAssembler::begin(base::ByteView payload) {
  ASSERT(!is_assembling());
  auto publish = decode_publish(payload);
  if (!publish) return refuse(publish.error());
  exchange_ = publish->exchange;
  routing_key_ = publish->routing_key;
  mandatory_ = publish->mandatory;
  immediate_ = publish->immediate;
  stage_ = Stage::header;
  return {};
}

Verdict ContentAssembler::add(const Frame& frame) {
  if (stage_ == Stage::header) {
    if (frame.type != frame_header)
      return refuse_frame(
          "expected content header for class 60, got non content header frame "
          "instead");
    return add_header(frame.payload);
  }
  if (frame.type != frame_body || is_overfull_)
    return refuse_frame("expected content body, got non content body frame instead");
  add_body(frame.payload);
  return {};
}

Verdict ContentAssembler::add_header(base::ByteView payload) {
  const auto header = split_content_header(payload);
  if (!header) return refuse(header.error());
  if (header->class_id != BasicPublish::ids.class_id)
    return refuse_frame(
        fmt::format("expected content header for class 60, got one for class {} "
                    "instead",
                    header->class_id));
  properties_ = header->properties;
  body_size_ = header->body_size;
  received_ = 0;
  body_.clear();
  if (body_.capacity() > kept_body_bytes) body_.shrink_to_fit();
  whole_body_ = {};
  stage_ = Stage::body;
  if (body_size_ == 0) {
    stage_ = Stage::method;
    is_complete_ = true;
  }
  return {};
}

void ContentAssembler::add_body(base::ByteView payload) {
  const bool is_first = received_ == 0;
  received_ += payload.size();
  if (received_ > body_size_) {
    is_overfull_ = true;
    body_.clear();
    return;
  }
  if (body_size_ <= max_size_) {
    if (is_first && received_ == body_size_)
      whole_body_ = payload;
    else
      body_.append(payload);
  }
  if (received_ < body_size_) return;
  stage_ = Stage::method;
  is_complete_ = true;
}

Publish ContentAssembler::take() {
  ASSERT(is_complete_);
  is_complete_ = false;
  return {exchange_,  routing_key_, mandatory_,
          immediate_, properties_,  whole_body_.empty() ? base::ByteView(body_) : whole_body_,
          body_size_};
}

}  // namespace warren::session::amqp091
