#include "codec/amqp091_method.h"

#include "base/assert.h"
#include "codec/amqp091_frame.h"
#include "codec/erlang_term.h"

namespace warren::codec::amqp091 {
namespace {

auto cannot_decode(ByteView arguments) {
  return base::fail(base::ErrorCode::frame_error,
                    "cannot decode " + erlang::print_octets(arguments));
}

char* store_short_string(char* to, ByteView text) {
  ASSERT(text.size() <= 255);
  *to = static_cast<char>(text.size());
  return base::store_bytes(to + 1, text);
}

}  // namespace

MethodIds peek_method(ByteView payload) {
  if (payload.size() < 4) return {};
  base::ByteReader reader(payload);
  std::uint16_t class_id = reader.u16();
  return {class_id, reader.u16()};
}

base::Result<Method> decode_method(ByteView payload) {
  if (payload.size() < 4)
    return base::fail(base::ErrorCode::frame_error,
                      "type 1, all octets = " + erlang::print_octets(payload) + ": unknown_frame");
  ByteView arguments = payload.substr(4);
  base::ByteReader reader(arguments);
  base::Result<Method> method;
  if (!generated::read_arguments(peek_method(payload), reader, *method))
    return base::fail(base::ErrorCode::not_implemented, "unimplemented method");
  if (reader.failed() || !reader.empty()) return cannot_decode(arguments);
  if (!generated::has_sound_texts(*method))
    return base::fail(base::ErrorCode::invalid_argument, std::string(malformed_text));
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

base::Result<BasicAck> decode_ack(ByteView payload) {
  ASSERT(peek_method(payload) == BasicAck::ids);
  base::ByteReader reader(payload.substr(4));
  BasicAck ack;
  ack.delivery_tag = reader.u64();
  ack.multiple = (reader.u8() & 1) != 0;
  if (reader.failed() || !reader.empty()) return cannot_decode(payload.substr(4));
  return ack;
}

std::size_t deliver_size(const DeliverView& deliver) {
  return 24 + deliver.consumer_tag.size() + deliver.exchange.size() + deliver.routing_key.size();
}

char* store_deliver(char* to, std::uint16_t channel, const DeliverView& deliver) {
  *to++ = static_cast<char>(frame_method);
  to = base::store_network(to, channel);
  to = base::store_network(to, static_cast<std::uint32_t>(deliver_size(deliver) - frame_overhead));
  to = base::store_network(to, BasicDeliver::ids.class_id);
  to = base::store_network(to, BasicDeliver::ids.method_id);
  to = store_short_string(to, deliver.consumer_tag);
  to = base::store_network(to, deliver.delivery_tag);
  *to++ = deliver.redelivered ? 1 : 0;
  to = store_short_string(to, deliver.exchange);
  to = store_short_string(to, deliver.routing_key);
  *to++ = static_cast<char>(frame_end);
  return to;
}

}  // namespace warren::codec::amqp091
