#include "codec/proxy_header.h"

#include <doctest/doctest.h>

#include "codec/test_bytes.h"

using namespace warren::codec;
using namespace warren::codec::proxy;
using warren::base::Bytes;
using warren::base::Random;

namespace {

const std::string signature = from_hex("0d0a0d0a000d0a515549540a");

/// The whole header, and nothing before it is whole.
Header read_all(const Bytes& bytes) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    auto part = read_header(std::string_view(bytes).substr(0, size));
    REQUIRE(part);
    REQUIRE(!*part);
  }
  auto whole = read_header(bytes + "AMQP");
  REQUIRE_MESSAGE(whole, whole.error().text);
  REQUIRE(*whole);
  CHECK((*whole)->size == bytes.size());
  return **whole;
}

std::string refusal(const Bytes& bytes) {
  auto read = read_header(bytes);
  return read ? "" : read.error().text;
}

}  // namespace

TEST_CASE("version 1 names both ends") {
  Header header = read_all("PROXY TCP4 192.168.7.7 10.1.1.1 5555 5672\r\n");
  CHECK(header.source == Endpoint{"192.168.7.7", 5555});
  CHECK(header.destination == Endpoint{"10.1.1.1", 5672});
  header = read_all("PROXY TCP6 2001:DB8:0:0::1 ::1 65535 0\r\n");
  CHECK(header.source == Endpoint{"2001:db8::1", 65535});
  CHECK(header.destination == Endpoint{"::1", 0});
}

TEST_CASE("version 1 without knowledge leaves the connection's own ends") {
  CHECK(!read_all("PROXY UNKNOWN\r\n").source);
  CHECK(!read_all("PROXY UNKNOWN ffff::f ffff::f 65535 65535\r\n").source);
}

TEST_CASE("malformed lines are refused") {
  const std::string malformed = "PROXY protocol: malformed addresses";
  CHECK(refusal("PROXY TCP4 1.2.3.4\r\n") == malformed);
  CHECK(refusal("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n") == malformed);
  CHECK(refusal("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n") == malformed);
  CHECK(refusal("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n") == malformed);
  CHECK(refusal("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n") == malformed);
  CHECK(refusal("PROXY TCP4 ::1 ::1 1 2\r\n") == malformed);
  CHECK(refusal("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n") == malformed);
  CHECK(refusal("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n") ==
        "PROXY protocol: neither TCP4, TCP6 nor UNKNOWN");
  CHECK(refusal("PROXY UNKNOWN " + std::string(200, 'x')) ==
        "PROXY protocol: the line does not end");
  CHECK(refusal(Bytes("AMQP\0\0\x09\x01", 8)) ==
        "PROXY protocol: the connection does not begin with a header");
  CHECK(!refusal("\x16\x03\x01").empty());
}

TEST_CASE("version 2 names both ends") {
  Header header = read_all(signature + from_hex("2111000cac1000090a0000011e611628"));
  CHECK(header.source == Endpoint{"172.16.0.9", 7777});
  CHECK(header.destination == Endpoint{"10.0.0.1", 5672});
  header = read_all(signature + from_hex("2121002420010db8000000000000000000000001"
                                         "00000000000000000000000000000001"
                                         "00011628"));
  CHECK(header.source == Endpoint{"2001:db8::1", 1});
  CHECK(header.destination == Endpoint{"::1", 5672});
}

TEST_CASE("version 2 passes over what follows the addresses") {
  Header header = read_all(signature + from_hex("21110013ac1000090a0000011e611628") +
                           from_hex("04000401020304"));
  CHECK(header.source == Endpoint{"172.16.0.9", 7777});
}

TEST_CASE("version 2 for itself, or for what is no TCP, leaves the connection's own ends") {
  CHECK(!read_all(signature + from_hex("20000000")).source);
  CHECK(!read_all(signature + from_hex("2011000cac1000090a0000011e611628")).source);
  CHECK(!read_all(signature + from_hex("21000000")).source);
  CHECK(!read_all(signature + from_hex("213100d8") + Bytes(216, 'u')).source);
}

TEST_CASE("malformed binary headers are refused") {
  CHECK(refusal(signature + from_hex("11110000")) == "PROXY protocol: unknown version");
  CHECK(refusal(signature + from_hex("22110000")) == "PROXY protocol: unknown command");
  CHECK(refusal(signature + from_hex("21111000")) == "PROXY protocol: the header is too long");
  CHECK(refusal(signature + from_hex("2111000bac1000090a0000011e6116")) ==
        "PROXY protocol: the addresses are cut off");
}

TEST_CASE("any bytes give a header, a wish for more or an error") {
  Random random(7);
  const Bytes good[] = {"PROXY TCP4 192.168.7.7 10.1.1.1 5555 5672\r\n",
                        signature + from_hex("2111000cac1000090a0000011e611628"), signature};
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = good[random.below(3)] + random_bytes(random, 40);
    damage(bytes, random);
    auto read = read_header(bytes);
    if (read && *read) CHECK((*read)->size <= bytes.size());
  }
}
