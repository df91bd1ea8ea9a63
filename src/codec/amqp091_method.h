#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "codec/amqp091_structs.h"

/// AMQP 0-9-1 methods. `codec/amqp091_structs.h` is generated into the build folder by
/// tools/generate_amqp091.py: one struct for each method (`QueueDeclare`, `BasicPublish`,
/// `ExchangeUnbindOk`...) with its arguments in snake_case and the constants `ids`, `name` and
/// `has_content`; `MethodIds`; and `Method`, the variant of all the structs.
/// Reserved arguments have no member: they are skipped on reading and written as zero.
namespace warren::codec::amqp091 {

using base::Bytes;
using base::ByteView;

/// What is wrong with a short string that is no UTF-8.
inline constexpr std::string_view malformed_text = "Malformed UTF-8 in shortstr";

/// Reads the payload of a method frame. Failures are told apart by their code:
///   not_implemented   no such class or method; the text is "unimplemented method"
///   frame_error       cut short, bytes left over, or a malformed table; the text is
///                     "cannot decode <<...>>" with the argument octets, as clients know it
///   invalid_argument  `malformed_text`, for which a channel blames no method
/// `peek_method` gives the ids in the first two cases.
base::Result<Method> decode_method(ByteView payload);

/// Appends a complete method frame. Short strings must be at most 255 octets long. The header
/// `amqp091_structs.h` has the same function for each struct, which spares building a variant.
void encode_method(Bytes& out, std::uint16_t channel, const Method& method);

MethodIds ids(const Method& method);
std::uint16_t class_id(const Method& method);
std::uint16_t method_id(const Method& method);
/// "queue.declare"; empty for ids that name nothing.
std::string_view name(const Method& method);
std::string_view method_name(MethodIds ids);

/// The ids at the front of a method payload; both zero when it is shorter than four octets.
MethodIds peek_method(ByteView payload);

/// basic.publish with its strings left in the frame's payload.
struct PublishView {
  ByteView exchange;
  ByteView routing_key;
  bool mandatory = false;
  bool immediate = false;
};
/// For payloads whose ids are those of BasicPublish; fails as `decode_method` does, but for the
/// strings: RabbitMQ's clients may publish with keys of any octets.
base::Result<PublishView> decode_publish(ByteView payload);

/// For payloads whose ids are those of BasicAck; fails as `decode_method` does.
base::Result<BasicAck> decode_ack(ByteView payload);

/// basic.deliver without owned strings.
struct DeliverView {
  ByteView consumer_tag;
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  ByteView exchange;
  ByteView routing_key;
};
/// The size of a complete basic.deliver frame, and the frame itself, written to `to`; returns the
/// place after it.
std::size_t deliver_size(const DeliverView& deliver);
char* store_deliver(char* to, std::uint16_t channel, const DeliverView& deliver);

}  // namespace warren::codec::amqp091
