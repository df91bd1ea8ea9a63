#include "counters/conversation.h"

#include "base/assert.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "codec/amqp091_properties.h"

namespace warren::counters {

using namespace codec::amqp091;

namespace {

constexpr std::uint16_t channel = 1;
constexpr std::string_view queue = "q";
constexpr std::uint32_t frame_max = 131072;

}  // namespace

base::Bytes say_login() {
  base::Bytes out;
  encode_method(out, 0,
                ConnectionStartOk{{}, "PLAIN", std::string("\0guest\0guest", 12), "en_US"});
  return out;
}

base::Bytes say_open() {
  base::Bytes out;
  encode_method(out, 0, ConnectionTuneOk{2047, frame_max, 0});
  encode_method(out, 0, ConnectionOpen{"/"});
  encode_method(out, channel, ChannelOpen{});
  return out;
}

base::Bytes say_publisher_setup(const Load& load) {
  base::Bytes out;
  QueueDeclare declare;
  declare.queue = queue;
  declare.durable = load.is_persistent;
  encode_method(out, channel, declare);
  if (load.is_persistent) encode_method(out, channel, ConfirmSelect{});
  return out;
}

base::Bytes say_consumer_setup(const Load& load) {
  base::Bytes out;
  BasicConsume consume;
  consume.queue = queue;
  consume.no_ack = !load.is_acked;
  encode_method(out, channel, consume);
  return out;
}

base::Bytes say_publishes(const Load& load) {
  base::Bytes out;
  Properties properties;
  if (load.is_persistent) properties.delivery_mode = 2;
  base::Bytes encoded;
  encode_properties(encoded, properties);
  const std::string body(load.body_bytes, 'x');
  for (int i = 0; i < load.messages; ++i) {
    encode_method(out, channel, BasicPublish{"", std::string(queue), false, false});
    write_header_frame(out, channel, 60, load.body_bytes, encoded);
    write_body_frames(out, channel, body, frame_max);
  }
  return out;
}

base::Bytes say_ack(std::uint64_t tag) {
  base::Bytes out;
  encode_method(out, channel, BasicAck{tag, true});
  return out;
}

void Ear::hear(base::ByteView bytes) {
  if (!cut_.empty()) {
    cut_.append(bytes);
    bytes = cut_;
  }
  while (bytes.size() >= frame_overhead) {
    const std::size_t size = base::load_network<std::uint32_t>(bytes.data() + 3) + frame_overhead;
    if (bytes.size() < size) break;
    hear_frame(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  cut_ = base::Bytes(bytes);
}

void Ear::hear_frame(base::ByteView frame) {
  if (frame[0] != frame_method) return;
  last_method_ = base::load_network<std::uint32_t>(frame.data() + 7);
  // A connection or channel that is closed would count nothing.
  ASSERT(last_method_ != (20u << 16 | 40u) && last_method_ != (10u << 16 | 50u));
  if (last_method_ == (60u << 16 | 60u)) {
    ++delivered_;
  } else if (last_method_ == (60u << 16 | 80u)) {
    const auto tag = base::load_network<std::uint64_t>(frame.data() + 11);
    confirmed_ = frame[19] != 0 ? tag : confirmed_ + 1;
  }
}

}  // namespace warren::counters
