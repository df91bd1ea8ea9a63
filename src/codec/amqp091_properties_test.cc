#include "codec/amqp091_properties.h"

#include <doctest/doctest.h>

#include "codec/amqp091_frame.h"
#include "codec/test_bytes.h"

using namespace warren::codec;
using namespace warren::codec::amqp091;
using warren::base::FieldValue;
using warren::base::Random;

namespace {

/// A content header that the pika client sent, with all properties but the reserved one.
const char* const recorded_header =
    "003c0000000000000000000bfff80a746578742f706c61696e04757466380000004301694900000001016c6c00"
    "00010000000000017353000000037374720162740101744600000007016e49000000010161410000000b490000"
    "0001530000000178016e56020303636964027274053530303030036d6964000000006553f10002747905677565"
    "737403617070";

Properties all_properties() {
  Properties properties;
  properties.content_type = "text/plain";
  properties.content_encoding = "utf8";
  properties.headers.emplace();
  properties.headers->add("x", FieldValue(std::int32_t{5}));
  properties.delivery_mode = 2;
  properties.priority = 9;
  properties.correlation_id = "cid";
  properties.reply_to = "amq.rabbitmq.reply-to";
  properties.expiration = "50000";
  properties.message_id = std::string(255, 'm');
  properties.timestamp = 1700000000;
  properties.type = "";
  properties.user_id = "guest";
  properties.app_id = "app";
  properties.cluster_id = "cluster";
  return properties;
}

Bytes encoded(const Properties& properties) {
  Bytes out;
  encode_properties(out, properties);
  return out;
}

}  // namespace

TEST_CASE("a recorded content header reads as it was meant and is written back the same") {
  Bytes payload = from_hex(recorded_header);
  auto header = split_content_header(payload);
  REQUIRE(header.has_value());
  CHECK(header->class_id == 60);
  CHECK(header->body_size == 11);
  auto properties = decode_properties(header->properties);
  REQUIRE(properties.has_value());
  CHECK(properties->content_type == "text/plain");
  CHECK(properties->delivery_mode == 2);
  CHECK(properties->priority == 3);
  CHECK(properties->expiration == "50000");
  CHECK(properties->timestamp == 1700000000);
  CHECK(properties->user_id == "guest");
  CHECK_FALSE(properties->cluster_id.has_value());
  CHECK(properties->headers->size() == 7);
  CHECK(encoded(*properties) == header->properties);

  Bytes frame, expected;
  write_header_frame(frame, 3, header->class_id, header->body_size, header->properties);
  write_frame(expected, frame_header, 3, payload);
  CHECK(frame == expected);
}

TEST_CASE("properties survive a round trip, all together and each alone") {
  Properties all = all_properties();
  CHECK(decode_properties(encoded(all)) == all);
  CHECK(decode_properties(encoded({})) == Properties{});
  Properties alone;
  alone.priority = 0;
  CHECK(decode_properties(encoded(alone)) == alone);
  alone = {};
  alone.cluster_id = "c";
  CHECK(decode_properties(encoded(alone)) == alone);
}

TEST_CASE("a scan finds what a full decode finds") {
  Bytes bytes = encoded(all_properties());
  auto scan = scan_properties(bytes);
  REQUIRE(scan.has_value());
  CHECK(scan->delivery_mode == 2);
  CHECK(scan->priority == 9);
  CHECK(scan->expiration == "50000");
  CHECK(scan->reply_to == "amq.rabbitmq.reply-to");
  CHECK(scan->user_id == "guest");
  CHECK(scan->has_headers);
  CHECK(warren::base::read_field_table_body(scan->headers) == *all_properties().headers);

  Bytes empty = encoded({});
  auto nothing = scan_properties(empty);
  REQUIRE(nothing.has_value());
  CHECK_FALSE(nothing->delivery_mode.has_value());
  CHECK_FALSE(nothing->expiration.has_value());
  CHECK_FALSE(nothing->has_headers);
}

TEST_CASE("properties cut at any byte, or with bytes left over, are refused") {
  Bytes bytes = encoded(all_properties());
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    CHECK_FALSE(decode_properties(ByteView(bytes).substr(0, cut)).has_value());
    CHECK_FALSE(scan_properties(ByteView(bytes).substr(0, cut)).has_value());
  }
  CHECK_FALSE(decode_properties(bytes + "x").has_value());
  CHECK_FALSE(scan_properties(bytes + "x").has_value());
  CHECK_FALSE(decode_properties(from_hex("0001")).has_value());
  CHECK_FALSE(scan_properties(from_hex("0002")).has_value());
}

TEST_CASE("a content header shorter than its fixed part is refused") {
  Bytes payload = from_hex("003c000000000000000000020000");
  CHECK(split_content_header(payload).has_value());
  for (std::size_t cut = 0; cut < payload.size(); ++cut)
    CHECK_FALSE(split_content_header(ByteView(payload).substr(0, cut)).has_value());
}

TEST_CASE("random and damaged properties never upset the decoders, which agree") {
  Random random(2);
  Bytes sound = encoded(all_properties());
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = random.chance(50) ? sound : random_bytes(random, 60);
    damage(bytes, random);
    auto properties = decode_properties(bytes);
    auto scan = scan_properties(bytes);
    if (!properties) continue;
    ++accepted;
    REQUIRE(scan.has_value());
    CHECK(scan->delivery_mode == properties->delivery_mode);
    CHECK(scan->has_headers == properties->headers.has_value());
    CHECK(decode_properties(encoded(*properties)).has_value());
  }
  CHECK(accepted > 100);
}

TEST_CASE("an expiration is a number of milliseconds") {
  CHECK(read_expiration("0") == 0);
  CHECK(read_expiration("-0") == 0);
  CHECK(read_expiration("+60000") == 60000);
  CHECK(read_expiration("99999999999999999999999") == UINT64_MAX);
  for (ByteView text : {"", "-", "-1", "1s", "1.5", " 1"}) CHECK_FALSE(read_expiration(text));
  CHECK_FALSE(read_expiration({}));
}
