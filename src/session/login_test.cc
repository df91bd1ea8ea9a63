#include "session/login.h"

#include <doctest/doctest.h>

#include "base/field_value.h"

using namespace warren;
using session::amqp091::read_credentials;

namespace {
base::ByteView octets(const char* text, std::size_t size) {
  return {text, size};
}
}  // namespace

TEST_CASE("PLAIN responses") {
  const auto good = read_credentials("PLAIN", octets("\0joe\0pass", 9));
  REQUIRE(good);
  CHECK(good->user == "joe");
  CHECK(good->password == "pass");
  CHECK(read_credentials("PLAIN", octets("\0\0", 2)));
  CHECK_FALSE(read_credentials("PLAIN", ""));
  CHECK_FALSE(read_credentials("PLAIN", octets("\0joe", 4)));
  CHECK_FALSE(read_credentials("PLAIN", octets("me\0joe\0pass", 11)));
}

TEST_CASE("AMQPLAIN responses") {
  const auto response = [](const base::FieldTable& table) {
    base::Bytes bytes;
    base::ByteWriter writer(bytes);
    base::write_field_table(writer, table);
    return bytes.substr(4);
  };
  const auto good =
      read_credentials("AMQPLAIN", response({{"PASSWORD", "pass"}, {"LOGIN", "joe"}}));
  REQUIRE(good);
  CHECK(good->user == "joe");
  CHECK(good->password == "pass");
  CHECK_FALSE(read_credentials("AMQPLAIN", response({{"LOGIN", "joe"}})));
  CHECK_FALSE(read_credentials("AMQPLAIN", response({{"LOGIN", "joe"}, {"PASSWORD", true}})));
  CHECK_FALSE(read_credentials("AMQPLAIN", "\5LOGIN"));
}

TEST_CASE("other mechanisms") {
  CHECK_FALSE(read_credentials("EXTERNAL", ""));
  CHECK_FALSE(read_credentials("plain", octets("\0joe\0pass", 9)));
}

TEST_CASE("EXTERNAL takes the name from the certificate") {
  session::amqp091::PeerInfo peer;
  auto text = [&peer] {
    auto user = session::amqp091::certificate_user(peer);
    return user ? *user : user.error().text;
  };
  CHECK(text() == "connection peer presented no TLS (x.509) certificate");
  session::amqp091::TlsPeer tls;
  auto with = [&] { peer.tls = std::make_shared<session::amqp091::TlsPeer>(tls); };
  with();
  CHECK(text() == "connection peer presented no TLS (x.509) certificate");
  tls.has_certificate = true;
  with();
  CHECK(text() == "no name found");
  tls.certificate_user = "CN=joe";
  with();
  CHECK(text() == "CN=joe");
}
