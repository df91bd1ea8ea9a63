#include "session/content.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "codec/amqp091_properties.h"

namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {
/// Larger bodies grow as they come instead of being reserved when they are announced.
constexpr std::size_t reserved_body_bytes = 1024 * 1024;
/// Kept names and properties beyond this are given back after use.
constexpr std::size_t kept_capacity = 1024;

std::unexpected<Failure> refuse_frame(std::string text) {
  return std::unexpected(
      Failure{ReplyCode::unexpected_frame, std::move(text), BasicPublish::ids, false});
}
}  // namespace

Verdict ContentAssembler::begin(const Frame& frame) {
  ASSERT(!is_assembling());
  auto publish = decode_publish(frame.payload);
  if (!publish) return refuse(publish.error());
  publish_.exchange = publish->exchange;
  publish_.routing_key = publish->routing_key;
  publish_.mandatory = publish->mandatory;
  publish_.immediate = publish->immediate;
  publish_.properties = {};
  if (kept_.capacity() > kept_capacity) base::Bytes().swap(kept_);
  is_kept_ = false;
  stage_ = Stage::header;
  if (!frame.is_in_place) keep();
  return {};
}

Verdict ContentAssembler::add(const Frame& frame) {
  if (stage_ == Stage::header) {
    if (frame.type != frame_header)
      return refuse_frame(
          "expected content header for class 60, got non content header frame "
          "instead");
    return add_header(frame);
  }
  if (frame.type != frame_body)
    return refuse_frame("expected content body, got non content body frame instead");
  add_body(frame);
  return {};
}

Verdict ContentAssembler::add_header(const Frame& frame) {
  const auto header = split_content_header(frame.payload);
  if (!header) return refuse(header.error());
  if (header->class_id != BasicPublish::ids.class_id)
    return refuse_frame(
        fmt::format("expected content header for class 60, got one for class {} "
                    "instead",
                    header->class_id));
  publish_.properties = header->properties;
  publish_.body_size = header->body_size;
  publish_.body = {};
  base::Bytes().swap(body_);
  received_ = 0;
  is_kept_ = false;
  stage_ = Stage::body;
  if (!frame.is_in_place) keep();
  if (header->body_size == 0) {
    stage_ = Stage::method;
    is_complete_ = true;
  }
  return {};
}

void ContentAssembler::add_body(const Frame& frame) {
  const bool is_whole = frame.is_last && frame.payload.size() == publish_.body_size;
  received_ += frame.payload.size();
  if (received_ > publish_.body_size) {
    // Whatever comes now is thrown away, and the content never ends: only a frame of another
    // type shows that something is wrong.
    base::Bytes().swap(body_);
    builder_.reset();
    return;
  }
  if (publish_.body_size <= max_size_) {
    if (is_whole)
      publish_.body = frame.payload;
    else
      add_piece(frame.payload);
  }
  if (received_ < publish_.body_size || !frame.is_last) return;
  stage_ = Stage::method;
  is_complete_ = true;
}

void ContentAssembler::add_piece(base::ByteView piece) {
  // An empty body frame is no beginning: the whole body may come in the next one.
  if (piece.empty()) return;
  if (publish_.body_size > reserved_body_bytes) {
    body_.append(piece);
    return;
  }
  if (!builder_) {
    broker::MessageParts parts{publish_.exchange, publish_.routing_key, publish_.properties, {}};
    // Properties that can't be read are refused when the publish is whole.
    if (const auto scan = scan_properties(publish_.properties)) {
      parts.persistent = scan->delivery_mode == persistent_delivery_mode;
      parts.priority = scan->priority.value_or(0);
      parts.expiration_ms = read_expiration(scan->expiration);
    }
    builder_.emplace(parts, publish_.body_size);
  }
  builder_->append(piece);
}

void ContentAssembler::copy_views() {
  base::Bytes copy(publish_.exchange);
  copy.append(publish_.routing_key).append(publish_.properties);
  // Some of the views may point to what was kept before, which lives until the end of this.
  kept_.swap(copy);
  base::ByteView rest = kept_;
  for (base::ByteView* view :
       {&publish_.exchange, &publish_.routing_key, &publish_.properties}) {
    *view = rest.substr(0, view->size());
    rest.remove_prefix(view->size());
  }
  is_kept_ = true;
}

Publish ContentAssembler::take() {
  ASSERT(is_complete_);
  is_complete_ = false;
  Publish taken = publish_;
  if (!body_.empty()) taken.body = body_;
  if (builder_) {
    taken.message = builder_->finish();
    taken.body = taken.message.body();
    builder_.reset();
  }
  return taken;
}

}  // namespace warren::session::amqp091
