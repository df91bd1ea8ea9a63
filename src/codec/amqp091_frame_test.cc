#include "codec/amqp091_frame.h"

#include <doctest/doctest.h>

#include <vector>

#include "codec/test_bytes.h"

using namespace warren::codec;
using namespace warren::codec::amqp091;
using warren::base::Random;

namespace {

Bytes frame_bytes(std::uint8_t type, std::uint16_t channel, ByteView payload) {
  Bytes out;
  write_frame(out, type, channel, payload);
  return out;
}

FrameError error_of(ByteView bytes, std::uint32_t frame_max = frame_min_size) {
  FrameParser parser(frame_max);
  parser.feed(bytes);
  Frame frame;
  while (parser.next(frame)) REQUIRE_FALSE(frame.is_last);
  REQUIRE(parser.error() != nullptr);
  CHECK_FALSE(parser.next(frame));
  return *parser.error();
}

struct Seen {
  std::uint8_t type;
  std::uint16_t channel;
  Bytes payload;
  bool operator==(const Seen&) const = default;
};

void take_all(FrameParser& parser, std::vector<Seen>& seen) {
  Frame frame;
  while (parser.next(frame)) {
    if (frame.is_first)
      seen.push_back({frame.type, frame.channel, Bytes(frame.payload)});
    else
      seen.back().payload += frame.payload;
    if (frame.is_last) CHECK(seen.back().payload.size() == frame.size);
  }
  CHECK(parser.error() == nullptr);
}

}  // namespace

TEST_CASE("the four protocol headers of 0-9-1 and its forerunners are accepted") {
  CHECK(read_protocol_header(protocol_header) == ProtocolVersion{0, 9});
  CHECK(read_protocol_header(from_hex("414d515001010009")) == ProtocolVersion{0, 9});
  CHECK(read_protocol_header(from_hex("414d515001010800")) == ProtocolVersion{8, 0});
  CHECK(read_protocol_header(from_hex("414d515001010901")) == ProtocolVersion{8, 0});
}

TEST_CASE("other protocol headers are refused") {
  for (const char* hex : {"414d515000000800", "414d515000010000", "414d515003010000",
                          "414d515000000902", "474554202f204854", "0000000000000000"})
    CHECK_FALSE(read_protocol_header(from_hex(hex)).has_value());
}

TEST_CASE("whole frames are handed out where they lie") {
  Bytes bytes = frame_bytes(1, 7, "abcd") + frame_bytes(8, 0, "");
  FrameParser parser;
  parser.feed(bytes);
  Frame frame;
  REQUIRE(parser.next(frame));
  CHECK(frame.payload.data() == bytes.data() + 7);
  CHECK(frame.channel == 7);
  CHECK(frame.is_in_place);
  REQUIRE(parser.next(frame));
  CHECK(frame.type == frame_heartbeat);
  CHECK_FALSE(parser.next(frame));
  CHECK(parser.buffered() == 0);
}

TEST_CASE("frames cut at every byte come out whole") {
  Bytes bytes = frame_bytes(1, 1, "method") + frame_bytes(2, 1, Bytes(100, 'h')) +
                frame_bytes(3, 65535, "") + frame_bytes(8, 0, "") + frame_bytes(3, 2, "b\xCE");
  std::vector<Seen> whole;
  FrameParser at_once;
  at_once.feed(bytes);
  take_all(at_once, whole);
  REQUIRE(whole.size() == 5);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    std::vector<Seen> seen;
    FrameParser parser;
    for (ByteView part : {ByteView(bytes).substr(0, cut), ByteView(bytes).substr(cut)}) {
      Bytes copy(part);
      parser.feed(copy);
      take_all(parser, seen);
    }
    CHECK(seen == whole);
    CHECK(parser.buffered() == 0);
  }
  std::vector<Seen> seen;
  FrameParser parser;
  for (char octet : bytes) {
    parser.feed(ByteView(&octet, 1));
    take_all(parser, seen);
  }
  CHECK(seen == whole);
}

TEST_CASE("a large body that is cut comes in pieces, anything else whole") {
  const Bytes bytes = frame_bytes(2, 7, Bytes(1000, 'h')) + frame_bytes(3, 7, Bytes(1000, 'b')) +
                      frame_bytes(3, 7, Bytes(100, 's'));
  const std::vector<Seen> whole{
      {2, 7, Bytes(1000, 'h')}, {3, 7, Bytes(1000, 'b')}, {3, 7, Bytes(100, 's')}};
  Random random(3);
  std::size_t pieces = 0;
  for (int round = 0; round < 300; ++round) {
    FrameParser parser;
    std::vector<Seen> seen;
    for (ByteView rest = bytes; !rest.empty();) {
      const Bytes part(rest.substr(0, 1 + random.below(round % 3 == 0 ? 10 : 700)));
      rest.remove_prefix(part.size());
      parser.feed(part);
      Frame frame;
      while (parser.next(frame)) {
        if (frame.is_first) seen.push_back({frame.type, frame.channel, {}});
        seen.back().payload += frame.payload;
        if (frame.is_first && !frame.is_last) CHECK(frame.payload.size() >= 16);
        if (!frame.is_last) ++pieces;
        if (!frame.is_last) CHECK(frame.size == 1000);
        if (frame.is_in_place) CHECK(part.find(frame.payload) != Bytes::npos);
      }
      CHECK(parser.buffered() <= 1008);
    }
    CHECK(seen == whole);
  }
  CHECK(pieces > 300);
}

TEST_CASE("a body in pieces is judged by its end octet, and described by its start") {
  Bytes bytes = frame_bytes(3, 7, "0123456789abcdefgh" + Bytes(1000, 'b'));
  bytes.back() = 'x';
  for (std::size_t cut : {23u, 24u, 500u, 1024u, 1025u}) {
    FrameParser parser;
    Frame frame;
    parser.feed(ByteView(bytes).substr(0, cut));
    REQUIRE(parser.next(frame));
    CHECK_FALSE(frame.is_last);
    CHECK_FALSE(parser.next(frame));
    parser.feed(ByteView(bytes).substr(cut));
    while (parser.next(frame)) CHECK_FALSE(frame.is_last);
    REQUIRE(parser.error() != nullptr);
    CHECK(parser.error()->kind == FrameError::Kind::bad_end);
    CHECK(parser.error()->octets == "0123456789abcdef");
    CHECK(parser.error()->size == 1018);
  }
}

TEST_CASE("broken frames are described as RabbitMQ describes them") {
  Bytes bad_end = frame_bytes(1, 1, from_hex("003c000a00000000000100"));
  bad_end.back() = '\0';
  CHECK(error_of(bad_end).kind == FrameError::Kind::bad_end);
  CHECK(error_of(bad_end).text() ==
        "type 1, all octets = <<0,60,0,10,0,0,0,0,0,1,0>>: {invalid_frame_end_marker,0}");
  CHECK(error_of(frame_bytes(9, 0, "abc")).text() ==
        "type 9, all octets = <<\"abc\">>: unknown_frame");
  CHECK(error_of(frame_bytes(8, 0, "abc")).kind == FrameError::Kind::unknown_type);
  CHECK(error_of(frame_bytes(8, 0, "abc")).text() ==
        "type 8, all octets = <<\"abc\">>: unknown_frame");
  CHECK(error_of(frame_bytes(1, 1, "abc")).text() ==
        "type 1, all octets = <<\"abc\">>: unknown_frame");
  CHECK(error_of(frame_bytes(2, 1, "elevenbytes")).kind == FrameError::Kind::unknown_type);
  CHECK(error_of(from_hex("0300010000138800")).text() ==
        "type 3, all octets = <<>>: {frame_too_large,5000,4088}");
  CHECK(error_of(from_hex("030001000222e0"), 131072).text() ==
        "type 3, all octets = <<>>: {frame_too_large,140000,131064}");
  const Bytes open = from_hex("0014000a00");
  CHECK(describe_frame(Frame{1, 0, open, 5}) == "type 1, all octets = <<0,20,0,10,0>>");
  Bytes request = frame_bytes(1, 0, "GET / HTTP/1.1\r\nHost: x");
  request.back() = 'x';
  CHECK(error_of(request).text() ==
        "type 1, first 16 octets = <<\"GET / HTTP/1.1\\r\\n\">>: {invalid_frame_end_marker,\n" +
            Bytes(53, ' ') + "120}");
}

TEST_CASE("a frame may be up to 8 octets over the limit") {
  FrameParser parser;
  Bytes largest = frame_bytes(3, 1, Bytes(4096, 'x'));
  parser.feed(largest);
  Frame frame;
  REQUIRE(parser.next(frame));
  CHECK(frame.payload.size() == 4096);
  CHECK(error_of(frame_bytes(3, 1, Bytes(4097, 'x'))).size == 4097);
}

TEST_CASE("an end octet is judged before the type") {
  Bytes bytes = frame_bytes(9, 1, "abc");
  bytes.back() = 'x';
  CHECK(error_of(bytes).kind == FrameError::Kind::bad_end);
}

TEST_CASE("no bytes at all upset the parser, and it keeps a bounded part of them") {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    FrameParser parser;
    bool is_alive = true;
    for (int i = 0; i < 20 && is_alive; ++i) {
      Bytes bytes = random_bytes(random, 50);
      if (random.chance(70))
        bytes = frame_bytes(static_cast<std::uint8_t>(random.below(4)), 1, bytes);
      if (random.chance(5)) damage(bytes, random);
      parser.feed(bytes);
      Frame frame;
      while (parser.next(frame)) {
      }
      is_alive = !parser.error();
      if (!is_alive) CHECK_FALSE(parser.error()->text().empty());
      CHECK(parser.buffered() <= frame_min_size + frame_overhead + 8);
    }
  }
}

TEST_CASE("written frames match a recorded session") {
  Bytes out;
  write_header_frame(out, 1, 60, 300000, from_hex("0000"));
  CHECK(out == from_hex("0200010000000e003c000000000000000493e00000ce"));
  out.clear();
  write_heartbeat(out);
  CHECK(out == from_hex("08000000000000ce"));
}

TEST_CASE("a body is cut to frame_max") {
  Bytes body(300000, 'z');
  Bytes out;
  write_body_frames(out, 1, body, 131072);
  FrameParser parser(131072);
  parser.feed(out);
  std::vector<Seen> seen;
  take_all(parser, seen);
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].payload.size() == 131064);
  CHECK(seen[2].payload.size() == 37872);
  CHECK(seen[0].payload + seen[1].payload + seen[2].payload == body);
  out.clear();
  write_body_frames(out, 1, body, 0);
  CHECK(out.size() == body.size() + frame_overhead);
  out.clear();
  write_body_frames(out, 1, "", 131072);
  CHECK(out.empty());
}
