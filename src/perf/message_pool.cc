#include "perf/message_pool.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "codec/amqp091_properties.h"

namespace warren::perf {

namespace amqp = codec::amqp091;

namespace {

/// Enough that a whole batch lies in one piece, and little enough for the second-level cache.
constexpr std::size_t pool_octets = 512 * 1024;

}  // namespace

MessagePool::MessagePool(const Shape& shape) : has_stamps_(shape.size >= stamp_size) {
  ASSERT(!shape.routing_keys.empty());
  amqp::Properties properties;
  properties.delivery_mode = shape.persistent ? 2 : 1;
  amqp::Bytes encoded;
  amqp::encode_properties(encoded, properties);
  const std::string body(shape.size, 'w');
  // Each key as often as the others, and at least so many messages that batches are large.
  do {
    for (const auto& key : shape.routing_keys) {
      amqp::BasicPublish publish;
      publish.exchange = shape.exchange;
      publish.routing_key = key;
      publish.mandatory = shape.mandatory;
      amqp::encode_method(bytes_, channel, publish);
      amqp::write_header_frame(bytes_, channel, 60, shape.size, encoded);
      stamps_.push_back(bytes_.size() + amqp::frame_overhead - 1);
      amqp::write_body_frames(bytes_, channel, body, shape.frame_max);
      ends_.push_back(bytes_.size());
    }
  } while (bytes_.size() < pool_octets);
  const std::uint64_t first = ends_[1];
  bool is_even = true;
  for (std::size_t i = 1; i < ends_.size(); ++i) is_even = is_even && ends_[i] == i * first;
  if (is_even) stride_ = first;
}

std::uint64_t MessagePool::fitting(std::uint64_t first, std::uint64_t most,
                                   std::size_t octets) const {
  most = std::min(most, messages() - first);
  if (stride_ != 0) return std::clamp<std::uint64_t>(octets / stride_, 1, most);
  const auto begin = ends_.begin() + static_cast<std::ptrdiff_t>(first) + 1;
  const auto found =
      std::upper_bound(begin, begin + static_cast<std::ptrdiff_t>(most), ends_[first] + octets);
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(found - begin));
}

void MessagePool::stamp(std::uint64_t first, std::uint64_t count, std::uint64_t nanoseconds) {
  if (!has_stamps_) return;
  char* const bytes = bytes_.data();
  for (std::uint64_t i = first; i < first + count; ++i)
    std::memcpy(bytes + stamps_[i], &nanoseconds, stamp_size);
}

}  // namespace warren::perf
