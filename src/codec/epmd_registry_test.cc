#include "codec/epmd_registry.h"

#include <doctest/doctest.h>

#include "codec/test_bytes.h"

using namespace warren::codec;
using namespace warren::codec::epmd;
using warren::base::Random;

namespace {

Bytes encoded(const Request& request) {
  Bytes out;
  encode_request(out, request);
  return out;
}

Bytes alive(std::string name, std::uint16_t port, std::uint16_t highest_version = 6) {
  return encoded(AliveRequest{
      {.name = std::move(name), .port = port, .highest_version = highest_version, .extra = ""}});
}

std::string names_of(Registry& registry, std::uint64_t connection = 1000) {
  Registry::Reply reply = registry.feed({connection}, encoded(NamesRequest{}));
  CHECK(reply.close);
  registry.on_closed({connection});
  return reply.bytes.substr(4);
}

}  // namespace

TEST_CASE("a name lives as long as its connection") {
  Registry registry(4369, 1700000000);
  Registry::Reply reply = registry.feed({1}, alive("rabbit1", 25672));
  CHECK(reply.bytes == from_hex("76006553f100"));
  CHECK_FALSE(reply.close);
  registry.feed({2}, alive("rabbit2", 25673));
  registry.feed({3}, alive("rabbit3", 25674));
  CHECK(names_of(registry) ==
        "name rabbit3 at port 25674\nname rabbit2 at port 25673\nname rabbit1 at port 25672\n");
  registry.on_closed({2});
  CHECK(names_of(registry) == "name rabbit3 at port 25674\nname rabbit1 at port 25672\n");
  CHECK(registry.find_node("rabbit2") == nullptr);
  CHECK(registry.feed({4}, alive("rabbit2", 25673)).bytes == from_hex("76006553f103"));
  CHECK(names_of(registry).starts_with("name rabbit2 at port 25673\n"));
}

TEST_CASE("a name that is taken is refused") {
  Registry registry(4369, 1700000000);
  registry.feed({1}, alive("rabbit1", 25672));
  CHECK(registry.feed({2}, alive("rabbit1", 1)).bytes == from_hex("760100000063"));
  CHECK(registry.find_node("rabbit1")->port == 25672);
  registry.on_closed({2});
  CHECK(registry.find_node("rabbit1") != nullptr);
}

TEST_CASE("an old node gets a creation of two bits") {
  Registry registry(4369, 1700000000);
  Bytes bytes = registry.feed({1}, alive("old", 1, 5)).bytes;
  auto response = take_alive_response(bytes);
  REQUIRE(response.has_value());
  CHECK_FALSE((*response)->is_extended);
  CHECK((*response)->creation >= 1);
  CHECK((*response)->creation <= 3);
}

TEST_CASE("a node is found by name, and its connection then closed") {
  Registry registry(4369, 1);
  registry.feed({1}, alive("r2", 105));
  Registry::Reply found = registry.feed({2}, encoded(PortRequest{"r2"}));
  CHECK(found.bytes == from_hex("770000694d0000060005000272320000"));
  CHECK(found.close);
  Registry::Reply missing = registry.feed({3}, encoded(PortRequest{"xx"}));
  CHECK(missing.bytes == from_hex("7701"));
  CHECK(missing.close);
}

TEST_CASE("a request may come byte by byte") {
  Registry registry(4369, 1);
  Bytes bytes = alive("rabbit1", 25672);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    Registry::Reply reply = registry.feed({1}, bytes.substr(i, 1));
    CHECK(reply.bytes.empty());
    CHECK_FALSE(reply.close);
  }
  CHECK_FALSE(registry.feed({1}, bytes.substr(bytes.size() - 1)).bytes.empty());
}

TEST_CASE("kill, malformed requests and more bytes on an alive connection end it unanswered") {
  Registry registry(4369, 1);
  registry.feed({1}, alive("rabbit1", 25672));
  for (const Bytes& bytes : {encoded(OtherRequest{'k'}), from_hex("0000"), from_hex("ffff")}) {
    Registry::Reply reply = registry.feed({2}, bytes);
    CHECK(reply.bytes.empty());
    CHECK(reply.close);
    registry.on_closed({2});
  }
  CHECK(registry.feed({1}, encoded(NamesRequest{})).close);
  CHECK(names_of(registry) == "name rabbit1 at port 25672\n");
}

TEST_CASE("a node of this process registers without a connection") {
  Registry registry(4369, 1700000000);
  CHECK(registry.register_node({9}, {.name = "warren", .port = 25672, .extra = ""}) == 1700000000);
  CHECK_FALSE(registry.register_node({8}, {.name = "warren", .port = 1, .extra = ""}).has_value());
  registry.on_closed({9});
  CHECK(registry.find_node("warren") == nullptr);
}

TEST_CASE("the registry takes no more names than its bound, and any bytes") {
  Registry registry(4369, 1);
  for (std::uint64_t i = 1; i <= Registry::max_nodes; ++i)
    CHECK(registry.register_node({i}, {.name = "n" + std::to_string(i), .extra = ""}));
  CHECK_FALSE(registry.register_node({5000}, {.name = "more", .extra = ""}).has_value());
  Random random(7);
  for (int round = 0; round < 5000; ++round) {
    warren::codec::epmd::ConnectionId connection{6000 + random.below(20)};
    Registry::Reply reply = registry.feed(connection, random_bytes(random, 30));
    if (reply.close) registry.on_closed(connection);
  }
  CHECK(registry.names().nodes.size() == Registry::max_nodes);
}
