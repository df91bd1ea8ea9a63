#include "net/handshake.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::net;

namespace {

const base::Bytes nonce_a(handshake_nonce_size, 'a');
const base::Bytes nonce_b(handshake_nonce_size, 'b');

Handshake caller(const std::string& cookie = "SECRET", const std::string& peer = "b@host",
                 PeerRole role = PeerRole::node) {
  return Handshake::initiator(role, "a@host", peer, cookie, nonce_a);
}
Handshake called() {
  return Handshake::responder("b@host", "SECRET", nonce_b);
}

void exchange(Handshake& a, Handshake& b) {
  for (int i = 0; i < 4; ++i) {
    b.feed(a.take_output());
    if (b.phase() == Handshake::Phase::deciding) return;
    a.feed(b.take_output());
  }
}

}  // namespace

TEST_CASE("two holders of the cookie recognise each other") {
  auto a = caller();
  auto b = called();
  exchange(a, b);
  REQUIRE(b.phase() == Handshake::Phase::deciding);
  CHECK(b.role() == PeerRole::node);
  CHECK(b.peer_name() == "a@host");
  CHECK(a.phase() == Handshake::Phase::talking);
  b.decide(Admission::accepted);
  CHECK(b.phase() == Handshake::Phase::done);
  a.feed(b.take_output() + "what follows");
  CHECK(a.phase() == Handshake::Phase::done);
  CHECK(a.take_rest() == "what follows");
}

TEST_CASE("the handshake may arrive byte by byte") {
  auto a = caller("SECRET", "b@host", PeerRole::cli);
  auto b = called();
  for (int round = 0; round < 3; ++round) {
    for (char octet : a.take_output()) b.feed({&octet, 1});
    if (b.phase() == Handshake::Phase::deciding) b.decide(Admission::accepted);
    for (char octet : b.take_output()) a.feed({&octet, 1});
  }
  CHECK(a.phase() == Handshake::Phase::done);
  CHECK(b.phase() == Handshake::Phase::done);
  CHECK(b.role() == PeerRole::cli);
}

TEST_CASE("a caller with another cookie is refused and told so") {
  auto a = caller("OTHER");
  auto b = called();
  exchange(a, b);
  CHECK(b.phase() == Handshake::Phase::failed);
  CHECK(b.error().code == base::ErrorCode::access_refused);
  CHECK(a.phase() == Handshake::Phase::failed);
  CHECK(a.error().code == base::ErrorCode::access_refused);
  CHECK(a.error().text == "the cookies differ");
}

TEST_CASE("a responder that does not know the cookie is not believed") {
  auto a = caller();
  auto genuine = called();
  genuine.feed(a.take_output());
  a.feed(genuine.take_output());
  a.take_output();
  base::Bytes forged("\x00\x21\x01", 3);
  a.feed(forged + base::Bytes(32, 'x'));
  CHECK(a.phase() == Handshake::Phase::failed);
  CHECK(a.error().code == base::ErrorCode::access_refused);
}

TEST_CASE("a proven answer that the application is stopped reaches the caller") {
  auto a = caller();
  auto b = called();
  exchange(a, b);
  b.decide(Admission::application_stopped, "stopped");
  CHECK(b.phase() == Handshake::Phase::failed);
  a.feed(b.take_output());
  CHECK(a.phase() == Handshake::Phase::failed);
  CHECK(a.error().code == base::ErrorCode::precondition_failed);
  CHECK(a.error().text == "stopped");
}

TEST_CASE("a caller that looks for another node is refused") {
  auto a = caller("SECRET", "c@host");
  auto b = called();
  exchange(a, b);
  CHECK(b.phase() == Handshake::Phase::failed);
  CHECK(a.phase() == Handshake::Phase::failed);
  CHECK(a.error().text == "this is b@host, not c@host");
}

TEST_CASE("a reflected nonce proves nothing") {
  auto b = called();
  auto mirror = Handshake::initiator(PeerRole::cli, "a@host", "b@host", "SECRET", nonce_b);
  b.feed(mirror.take_output());
  CHECK(b.phase() == Handshake::Phase::failed);
}

TEST_CASE("foreign bytes never pass and never crash") {
  for (int seed = 0; seed < 256; ++seed) {
    auto b = called();
    base::Bytes noise;
    for (int i = 0; i < 300; ++i) noise.push_back(static_cast<char>((seed * 31 + i * seed) & 0xFF));
    b.feed(base::Bytes("\x00\x40", 2) + noise);
    b.feed("GET / HTTP/1.1\r\n\r\n");
    CHECK(b.phase() != Handshake::Phase::done);
    CHECK(b.phase() != Handshake::Phase::deciding);
  }
}
