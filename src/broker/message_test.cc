#include "broker/message.h"

#include <doctest/doctest.h>

#include <string>

#include "base/random.h"

using namespace warren;
using broker::Message;

namespace {

Message make_sample() {
  return Message::make({.exchange = "amq.topic",
                        .routing_key = "a.b",
                        .properties = std::string_view("\x10\0\2", 3),
                        .body = "hello",
                        .persistent = true,
                        .priority = 7});
}

void check_sample(const Message& message) {
  CHECK(message.exchange() == "amq.topic");
  CHECK(message.routing_key() == "a.b");
  CHECK(message.properties() == std::string_view("\x10\0\2", 3));
  CHECK(message.body() == "hello");
  CHECK(message.is_persistent());
  CHECK(message.priority() == 7);
}

}  // namespace

TEST_CASE("a message gives back its parts, also after encoding") {
  Message message = make_sample();
  check_sample(message);
  auto decoded = Message::decode(message.encoded());
  REQUIRE(decoded.has_value());
  check_sample(*decoded);
  CHECK(decoded->encoded() == message.encoded());
}

TEST_CASE("the encoding is the documented one") {
  Message message =
      Message::make({.exchange = "x", .routing_key = "k", .properties = "PP", .body = "B"});
  std::string expected(
      "\x01\x00\x00\x01x\x01k\x00\x00\x00\x02PP\x00\x00\x00\x01"
      "B",
      18);
  CHECK(message.encoded() == expected);
}

TEST_CASE("the smallest and the widest parts fit") {
  CHECK(Message::decode(Message::make({}).encoded()).has_value());
  std::string wide(255, 'n'), body(100000, 'b');
  Message message =
      Message::make({.exchange = wide, .routing_key = wide, .properties = body, .body = body});
  auto decoded = Message::decode(message.encoded());
  REQUIRE(decoded.has_value());
  CHECK(decoded->routing_key() == wide);
  CHECK(decoded->body() == body);
}

TEST_CASE("an empty handle is told from an empty message") {
  CHECK_FALSE(static_cast<bool>(Message()));
  CHECK(static_cast<bool>(Message::make({})));
}

TEST_CASE("bytes that were cut, lengthened or changed never break the decoder") {
  std::string good(make_sample().encoded());
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    CHECK_FALSE(Message::decode(std::string_view(good).substr(0, cut)).has_value());
  CHECK_FALSE(Message::decode(good + "x").has_value());
  base::Random random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string bad = good;
    for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips)
      bad[random.below(bad.size())] = static_cast<char>(random.next());
    auto decoded = Message::decode(bad);
    if (!decoded) continue;
    CHECK(decoded->encoded() == bad);
    CHECK(decoded->body().size() + decoded->properties().size() < bad.size());
  }
}

TEST_CASE("another version and unknown flags are refused") {
  std::string bytes(make_sample().encoded());
  bytes[0] = 2;
  CHECK(Message::decode(bytes).error().code == base::ErrorCode::corrupt);
  bytes[0] = 1;
  bytes[1] = 3;
  CHECK_FALSE(Message::decode(bytes).has_value());
}

TEST_CASE("an expiration costs its octets, and only where there is one") {
  broker::MessageParts parts{"x", "key", "props", "body", true, 5};
  const broker::Message without = broker::Message::make(parts);
  CHECK_FALSE(without.has_expiration());
  CHECK_FALSE(without.expiration_ms());
  CHECK_FALSE(broker::Message().expiration_ms());
  parts.expiration_ms = 0;
  const broker::Message with = broker::Message::make(parts);
  CHECK(with.encoded().size() == without.encoded().size() + 8);
  CHECK(with.expiration_ms() == 0);
  CHECK(with.body() == "body");
  parts.expiration_ms = UINT64_MAX;
  auto decoded = broker::Message::decode(broker::Message::make(parts).encoded());
  REQUIRE(decoded.has_value());
  CHECK(decoded->expiration_ms() == UINT64_MAX);
  CHECK(decoded->is_persistent());
  CHECK(decoded->body() == "body");
  CHECK_FALSE(broker::Message::decode(with.encoded().substr(0, with.encoded().size() - 1)));
}

TEST_CASE("blind keys cost their octets, and only where there are some") {
  broker::MessageParts parts{"x", "key", "props", "body", true, 5};
  const Message without = Message::make(parts);
  CHECK(without.blind_keys().empty());
  CHECK(Message().blind_keys().empty());
  const std::string longer(300, 'k');
  base::Bytes keys;
  for (const char* key : {"one", ""}) broker::add_blind_key(keys, key);
  broker::add_blind_key(keys, longer);
  parts.blind_keys = keys;
  for (bool expires : {false, true}) {
    if (expires) parts.expiration_ms = 9;
    const Message with = Message::make(parts);
    CHECK(with.encoded().size() ==
          without.encoded().size() + 4 + 3 * 4 + 303 + (expires ? 8 : 0));
    auto decoded = Message::decode(with.encoded());
    REQUIRE(decoded.has_value());
    CHECK(broker::read_blind_keys(decoded->blind_keys()) ==
          std::vector<std::string_view>{"one", "", longer});
    CHECK(decoded->body() == "body");
    CHECK(decoded->expiration_ms() == parts.expiration_ms);
    for (std::size_t cut = 1; cut < with.encoded().size(); ++cut)
      CHECK_FALSE(Message::decode(with.encoded().substr(0, with.encoded().size() - cut)));
  }
}

TEST_CASE("blind keys that lead past their end are refused") {
  base::Bytes keys;
  broker::add_blind_key(keys, "key");
  std::string bytes(Message::make({.blind_keys = keys}).encoded());
  bytes[bytes.size() - 4] = 4;
  CHECK_FALSE(Message::decode(bytes).has_value());
}

TEST_CASE("when a message is due stands behind its expiration") {
  broker::MessageParts parts{"x", "key", "props", "body", true, 5};
  const std::size_t bare = broker::Message::make(parts).encoded().size();
  CHECK_FALSE(broker::Message::make(parts).due_ms());
  parts.due_ms = 12;
  const broker::Message due = broker::Message::make(parts);
  CHECK(due.encoded().size() == bare + 8);
  CHECK(due.due_ms() == 12);
  CHECK_FALSE(due.has_expiration());
  parts.expiration_ms = 34;
  auto both = broker::Message::decode(broker::Message::make(parts).encoded());
  REQUIRE(both.has_value());
  CHECK(both->encoded().size() == bare + 16);
  CHECK(both->due_ms() == 12);
  CHECK(both->expiration_ms() == 34);
  CHECK(both->body() == "body");
  CHECK_FALSE(broker::Message::decode(both->encoded().substr(0, both->encoded().size() - 8)));
}
