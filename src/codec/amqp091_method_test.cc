#include "codec/amqp091_method.h"

#include <doctest/doctest.h>

#include "codec/amqp091_frame.h"
#include "codec/test_bytes.h"

namespace warren::codec::amqp091 {
namespace {

/// Octets of all kinds, but those that names can't have.
std::string sample_string(base::Random& random, std::size_t most) {
  std::string text = random_bytes(random, most);
  for (char& c : text) c = static_cast<char>(c & 0x7F);
  return text;
}

base::FieldTable sample_table(base::Random& random) {
  base::FieldTable table;
  table.add("x-max-length", base::FieldValue(static_cast<std::int32_t>(random.next())));
  table.add("x-queue-type", base::FieldValue("quorum"));
  return table;
}

}  // namespace
}  // namespace warren::codec::amqp091

#include "codec/amqp091_samples.h"

using namespace warren::codec;
using namespace warren::codec::amqp091;
using warren::base::ErrorCode;
using warren::base::Random;

namespace {

Bytes frame_of(const Method& method, std::uint16_t channel = 1) {
  Bytes out;
  encode_method(out, channel, method);
  return out;
}

/// The payload of the one method frame in `frame`.
ByteView payload_of(const Bytes& frame) {
  return ByteView(frame).substr(7, frame.size() - frame_overhead);
}

/// Decodes a recorded frame, and checks that it encodes to the same bytes again.
Method recorded(const char* hex, std::uint16_t channel = 1) {
  Bytes frame = from_hex(hex);
  auto method = decode_method(payload_of(frame));
  REQUIRE(method.has_value());
  CHECK(frame_of(*method, channel) == frame);
  return std::move(*method);
}

}  // namespace

TEST_CASE("every method survives a round trip") {
  Random random(3);
  for (int round = 0; round < 50; ++round) {
    for (const Method& method : sample_methods(random)) {
      Bytes frame = frame_of(method, 513);
      FrameParser parser(131072);
      parser.feed(frame);
      Frame parsed;
      REQUIRE(parser.next(parsed));
      CHECK(parsed.type == frame_method);
      CHECK(parsed.channel == 513);
      auto decoded = decode_method(parsed.payload);
      REQUIRE(decoded.has_value());
      CHECK(*decoded == method);
      CHECK(peek_method(parsed.payload) == ids(method));
      CHECK(method_name(ids(method)) == name(method));
    }
  }
}

TEST_CASE("every method cut at any byte, or with a byte left over, can't be decoded") {
  Random random(4);
  for (const Method& method : sample_methods(random)) {
    Bytes frame = frame_of(method);
    ByteView payload = payload_of(frame);
    for (std::size_t cut = 0; cut < payload.size(); ++cut) {
      auto decoded = decode_method(payload.substr(0, cut));
      REQUIRE_FALSE(decoded.has_value());
      CHECK(decoded.error().code == ErrorCode::frame_error);
    }
    CHECK(decode_method(Bytes(payload) + "x").error().code == ErrorCode::frame_error);
  }
}

TEST_CASE("the table holds what the specification lacks") {
  CHECK(std::variant_size_v<AnyMethod> == 66);
  CHECK(ConnectionBlocked::ids == MethodIds{10, 60});
  CHECK(ConnectionUnblocked::ids == MethodIds{10, 61});
  CHECK(ConnectionUpdateSecret::ids == MethodIds{10, 70});
  CHECK(ConnectionUpdateSecretOk::ids == MethodIds{10, 71});
  CHECK(AccessRequest::ids == MethodIds{30, 10});
  CHECK(AccessRequestOk::ids == MethodIds{30, 11});
  CHECK(ExchangeBind::ids == MethodIds{40, 30});
  CHECK(ExchangeUnbindOk::ids == MethodIds{40, 51});
  CHECK(BasicRecoverOk::ids == MethodIds{60, 111});
  CHECK(BasicNack::ids == MethodIds{60, 120});
  CHECK(ConfirmSelect::ids == MethodIds{85, 10});
  CHECK(TxRollbackOk::ids == MethodIds{90, 31});
  CHECK(BasicPublish::has_content);
  CHECK_FALSE(BasicGet::has_content);
}

TEST_CASE("an unknown method and malformed arguments are told apart") {
  auto unknown_class = decode_method(from_hex("00630001"));
  REQUIRE_FALSE(unknown_class.has_value());
  CHECK(unknown_class.error().code == ErrorCode::not_implemented);
  auto unknown_method = decode_method(from_hex("003c0063616263"));
  REQUIRE_FALSE(unknown_method.has_value());
  CHECK(unknown_method.error().code == ErrorCode::not_implemented);
  auto truncated = decode_method(from_hex("0032000a000010616263"));
  REQUIRE_FALSE(truncated.has_value());
  CHECK(truncated.error().code == ErrorCode::frame_error);
  CHECK(truncated.error().text == "cannot decode <<0,0,16,97,98,99>>");
  CHECK(peek_method(from_hex("0032000a000010616263")) == QueueDeclare::ids);
  CHECK(method_name({99, 1}).empty());
  CHECK(decode_method(from_hex("003c")).error().text ==
        "type 1, all octets = <<0,60>>: unknown_frame");
}

TEST_CASE("a name that is no UTF-8 is refused, a text that is may hold anything") {
  BasicConsume consume;
  consume.queue = "\xC3\xA4";
  Bytes frame;
  encode_method(frame, 1, consume);
  auto payload = [&] { return ByteView(frame).substr(7, frame.size() - 8); };
  CHECK(decode_method(payload()).has_value());
  consume.consumer_tag = "\xFF";
  frame.clear();
  encode_method(frame, 1, consume);
  auto refused = decode_method(payload());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::invalid_argument);
  CHECK(refused.error().text == "Malformed UTF-8 in shortstr");
}

TEST_CASE("recorded frames read as they were meant and are written back the same") {
  auto tune = std::get<ConnectionTune>(recorded("0100000000000c000a001e07ff00020000003cce", 0));
  CHECK(tune == ConnectionTune{.channel_max = 2047, .frame_max = 131072, .heartbeat = 60});

  auto exchange = std::get<ExchangeDeclare>(
      recorded("010001000000180028000a000006776972652e7805746f7069630200000000ce"));
  CHECK(exchange.exchange == "wire.x");
  CHECK(exchange.type == "topic");
  CHECK(exchange.durable);
  CHECK_FALSE(exchange.passive);

  auto queue = std::get<QueueDeclare>(
      recorded("010001000000370032000a000006776972652e7102000000250c782d6d61782d6c656e677468490000"
               "03e80d782d6d6573736167652d74746c490000ea60ce"));
  CHECK(queue.queue == "wire.q");
  CHECK(queue.durable);
  CHECK(queue.arguments.find("x-max-length")->to_integer() == 1000);

  auto bind = std::get<QueueBind>(
      recorded("0100010000001d00320014000006776972652e7106776972652e7803612e230000000000ce"));
  CHECK(bind.routing_key == "a.#");

  auto returned = std::get<BasicReturn>(
      recorded("0100010000001a003c00320138084e4f5f524f55544506776972652e78037a7a7ace"));
  CHECK(returned.reply_code == 312);
  CHECK(returned.reply_text == "NO_ROUTE");

  CHECK(std::get<BasicNack>(recorded("0100010000000d003c0078000000000000000102ce")) ==
        BasicNack{.delivery_tag = 1, .multiple = false, .requeue = true});
  CHECK(std::get<BasicAck>(recorded("0100010000000d003c0050000000000000000200ce")).delivery_tag ==
        2);
  recorded("010001000000050055000a00ce");
  recorded("0100010000000e00320028000006776972652e7100ce");
  recorded("010001000000080014000b00000000ce");
  recorded(
      "010001000000350014002801942a4e4f545f464f554e44202d206e6f20717565756520276e6f7375636827"
      "20696e2076686f737420272f270032000ace");
}

TEST_CASE("reserved arguments are skipped, whatever a client puts there") {
  Bytes frame = from_hex("01000000000008000a0028012f0001ce");
  auto method = decode_method(payload_of(frame));
  REQUIRE(method.has_value());
  CHECK(std::get<ConnectionOpen>(*method).virtual_host == "/");
}

TEST_CASE("a publish view reads what the method reads, in place") {
  Bytes frame = from_hex("01000100000012003c0028000006776972652e78037a7a7a01ce");
  auto publish = decode_publish(payload_of(frame));
  REQUIRE(publish.has_value());
  CHECK(publish->exchange == "wire.x");
  CHECK(publish->routing_key == "zzz");
  CHECK(publish->mandatory);
  CHECK_FALSE(publish->immediate);
  CHECK(publish->exchange.data() == frame.data() + 14);
  for (std::size_t cut = 4; cut < payload_of(frame).size(); ++cut)
    CHECK_FALSE(decode_publish(payload_of(frame).substr(0, cut)).has_value());
}

TEST_CASE("a delivery written from views equals the recorded frame and the method") {
  BasicDeliver method;
  method.consumer_tag = "ctag1.14f400044b31410f8102ec76c010984f";
  method.delivery_tag = 2;
  method.redelivered = true;
  method.exchange = "wire.x";
  method.routing_key = "a.b";
  DeliverView view{method.consumer_tag, 2, true, method.exchange, method.routing_key};
  Bytes out(deliver_size(view), '\0');
  CHECK(store_deliver(out.data(), 1, view) == out.data() + out.size());
  CHECK(out == from_hex("0100010000003f003c003c2663746167312e313466343030303434623331343130663831"
                        "303265633736633031303938346600000000000000020106776972652e7803612e62ce"));
  CHECK(out == frame_of(method));
  Bytes longest(255, 'x');
  view = {longest, 1, false, longest, longest};
  out.resize(deliver_size(view));
  CHECK(store_deliver(out.data(), 1, view) == out.data() + out.size());
  CHECK(decode_method(payload_of(out)).has_value());
}

TEST_CASE("random and damaged payloads never upset the decoder") {
  Random random(5);
  std::vector<Method> samples = sample_methods(random);
  int accepted = 0;
  for (int round = 0; round < 30000; ++round) {
    Bytes payload(payload_of(frame_of(samples[random.below(samples.size())])));
    if (random.chance(30)) payload = payload.substr(0, 4) + random_bytes(random, 60);
    damage(payload, random);
    auto method = decode_method(payload);
    if (!method) continue;
    ++accepted;
    CHECK(decode_method(payload_of(frame_of(*method))).has_value());
  }
  CHECK(accepted > 1000);
}
