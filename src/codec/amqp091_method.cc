#include "codec/amqp091_method.h"

#include <cstring>

#include "base/assert.h"
#include "codec/amqp091_frame.h"
#include "codec/erlang_term.h"

namespace warren::codec::amqp091 {
namespace {

auto cannot_decode(ByteView arguments) {
  return base::fail(base::ErrorCode::frame_error,
                    "cannot decode " + erlang::print_octets(arguments));
}

/// Writes into a buffer known to be large enough, so that a delivery costs one append.
class ArrayWriter {
 public:
  explicit ArrayWriter(char* to) : to_(to) {}

  template <typename T>
  void integer(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
      *to_++ = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
  }
  void short_string(ByteView bytes) {
    ASSERT(bytes.size() <= 255);
    integer(static_cast<std::uint8_t>(bytes.size()));
    std::memcpy(to_, bytes.data(), bytes.size());
    to_ += bytes.size();
  }

 private:
  char* to_;
};

}  // namespace

MethodIds peek_method(ByteView payload) {
  if (payload.size() < 4) return {};
  base::ByteReader reader(payload);
  std::uint16_t class_id = reader.u16();
  return {class_id, reader.u16()};
}

base::Result<Method> decode_method(ByteView payload) {
  if (payload.size() < 4) return cannot_decode(payload);
  ByteView arguments = payload.substr(4);
  base::ByteReader reader(arguments);
  base::Result<Method> method;
  if (!generated::read_arguments(peek_method(payload), reader, *method))
    return base::fail(base::ErrorCode::not_implemented, "unimplemented method");
  if (reader.failed() || !reader.empty()) return cannot_decode(arguments);
  return method;
}

void encode_method(Bytes& out, std::uint16_t channel, const Method& method) {
  generated::encode_any(out, channel, method);
}

MethodIds ids(const Method& method) {
  return generated::ids_by_index[method.index()];
}
std::uint16_t class_id(const Method& method) {
  return ids(method).class_id;
}
std::uint16_t method_id(const Method& method) {
  return ids(method).method_id;
}
std::string_view name(const Method& method) {
  return method_name(ids(method));
}
std::string_view method_name(MethodIds ids) {
  return generated::name_of(ids);
}

base::Result<PublishView> decode_publish(ByteView payload) {
  ASSERT(peek_method(payload) == BasicPublish::ids);
  base::ByteReader reader(payload.substr(4));
  PublishView publish;
  reader.u16();
  publish.exchange = reader.short_string();
  publish.routing_key = reader.short_string();
  std::uint8_t bits = reader.u8();
  publish.mandatory = (bits & 1) != 0;
  publish.immediate = (bits & 2) != 0;
  if (reader.failed() || !reader.empty()) return cannot_decode(payload.substr(4));
  return publish;
}

void encode_deliver(Bytes& out, std::uint16_t channel, const DeliverView& deliver) {
  std::size_t payload_size =
      16 + deliver.consumer_tag.size() + deliver.exchange.size() + deliver.routing_key.size();
  char frame[16 + 3 * 255 + frame_overhead];
  ArrayWriter writer(frame);
  writer.integer(frame_method);
  writer.integer(channel);
  writer.integer(static_cast<std::uint32_t>(payload_size));
  writer.integer(BasicDeliver::ids.class_id);
  writer.integer(BasicDeliver::ids.method_id);
  writer.short_string(deliver.consumer_tag);
  writer.integer(deliver.delivery_tag);
  writer.integer(static_cast<std::uint8_t>(deliver.redelivered ? 1 : 0));
  writer.short_string(deliver.exchange);
  writer.short_string(deliver.routing_key);
  writer.integer(frame_end);
  out.append(frame, payload_size + frame_overhead);
}

}  // namespace warren::codec::amqp091
