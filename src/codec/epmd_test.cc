#include "codec/epmd.h"

#include <doctest/doctest.h>

#include "codec/test_bytes.h"

using namespace warren::codec;
using namespace warren::codec::epmd;
using warren::base::Random;

namespace {

NodeInfo rabbit1() {
  return {.name = "rabbit1", .port = 25672, .extra = "abc"};
}

Bytes encoded(const Request& request) {
  Bytes out;
  encode_request(out, request);
  return out;
}

/// Feeds `bytes` one octet at a time to a take_ function; it must need all of them.
template <typename T, typename Take>
void check_taken(const Bytes& bytes, const T& expected, Take take) {
  Bytes buffer;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    buffer.push_back(bytes[i]);
    auto taken = take(buffer);
    REQUIRE(taken.has_value());
    REQUIRE(taken->has_value() == (i + 1 == bytes.size()));
    if (*taken) CHECK(**taken == expected);
  }
  CHECK(buffer.empty());
}

}  // namespace

TEST_CASE("requests survive a round trip, byte by byte") {
  for (const Request& request : {Request(AliveRequest{rabbit1()}), Request(PortRequest{"rabbit1"}),
                                 Request(NamesRequest{}), Request(OtherRequest{'k'})})
    check_taken(encoded(request), request, take_request);
}

TEST_CASE("requests have the bytes that Debian's epmd reads") {
  CHECK(encoded(NamesRequest{}) == from_hex("00016e"));
  CHECK(encoded(PortRequest{"r2"}) == from_hex("00037a7232"));
  CHECK(encoded(AliveRequest{{.name = "r1", .port = 101, .extra = ""}}) ==
        from_hex("000f7800654d00000600050002") + "r1" + from_hex("0000"));
}

TEST_CASE("answers of Debian's epmd read as they were meant") {
  Bytes buffer = from_hex("76006b0227f4");
  CHECK(**take_alive_response(buffer) == AliveResponse{0, 0x6b0227f4, true});
  buffer = from_hex("79000002");
  CHECK(**take_alive_response(buffer) == AliveResponse{0, 2, false});
  buffer = from_hex("760100000063");
  CHECK((**take_alive_response(buffer)).result == 1);
  buffer = from_hex("7700006a48000006000500036869640003616263");
  NodeInfo hidden{.name = "hid", .port = 106, .node_type = type_hidden, .extra = "abc"};
  CHECK((**take_port_response(buffer)).node == hidden);
  buffer = from_hex("7701");
  CHECK_FALSE((**take_port_response(buffer)).node.has_value());
  CHECK(buffer.empty());
}

TEST_CASE("answers survive a round trip, byte by byte") {
  for (const AliveResponse& response :
       {AliveResponse{0, 1700000000, true}, AliveResponse{1, 3, false}}) {
    Bytes out;
    encode_alive_response(out, response);
    check_taken(out, response, take_alive_response);
  }
  for (const PortResponse& response : {PortResponse{rabbit1()}, PortResponse{}}) {
    Bytes out;
    encode_port_response(out, response);
    check_taken(out, response, take_port_response);
  }
}

TEST_CASE("names are listed in epmd's text") {
  NamesResponse response{.epmd_port = 4369, .nodes = {{"rabbit3", 25674}, {"rabbit1", 25672}}};
  Bytes out;
  encode_names_response(out, response);
  CHECK(out == from_hex("00001111") + "name rabbit3 at port 25674\nname rabbit1 at port 25672\n");
  CHECK(decode_names_response(out) == response);
  CHECK(decode_names_response(out.substr(0, out.size() - 1)) == response);
  CHECK(decode_names_response(from_hex("00001111") + "what is this\nname x at port y\n")
            ->nodes.empty());
  CHECK_FALSE(decode_names_response("abc").has_value());
}

TEST_CASE("malformed requests are refused") {
  for (Bytes bytes : {from_hex("0000"), from_hex("ffff"), from_hex("00017a"), from_hex("000178"),
                      from_hex("00037a610a"), encoded(AliveRequest{NodeInfo{}})}) {
    CHECK_FALSE(take_request(bytes).has_value());
  }
}

TEST_CASE("names that are longer than any is are refused") {
  const Bytes name(256, 'a');
  Bytes request = from_hex("010d78006a4d0000060005" "0100") + name + from_hex("0000");
  CHECK(take_request(request).error().code == warren::base::ErrorCode::frame_error);
  Bytes response = from_hex("7700006a4d0000060005" "0100") + name + from_hex("0000");
  CHECK(take_port_response(response).error().code == warren::base::ErrorCode::frame_error);
}

TEST_CASE("random bytes never upset the decoders") {
  Random random(6);
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = random.chance(50) ? encoded(AliveRequest{rabbit1()}) : random_bytes(random, 40);
    damage(bytes, random);
    Bytes copy = bytes;
    if (auto request = take_request(copy); request && *request)
      CHECK(take_request(copy = encoded(**request)).has_value());
    static_cast<void>(take_alive_response(copy = bytes));
    static_cast<void>(take_port_response(copy = bytes));
    static_cast<void>(decode_names_response(bytes));
  }
}
