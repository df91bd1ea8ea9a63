#include "session/content.h"

#include <doctest/doctest.h>

#include "base/random.h"
#include "session/wire_text.h"

using namespace warren;
using namespace session::amqp091;
using codec::amqp091::Frame;
using codec::amqp091::FrameParser;

namespace {

struct Seen {
  base::Bytes exchange, routing_key, body;
  bool is_built = false;
};

/// Feeds `bytes` in parts of at most `most` octets, each at a place of its own.
std::vector<Seen> assemble(ContentAssembler& assembler, base::ByteView bytes, std::size_t most,
                           base::Random& random) {
  FrameParser parser(131072);
  std::vector<Seen> seen;
  while (!bytes.empty()) {
    base::Bytes part(bytes.substr(0, 1 + random.below(most)));
    bytes.remove_prefix(part.size());
    parser.feed(part);
    Frame frame;
    while (parser.next(frame)) {
      REQUIRE((assembler.is_assembling() ? assembler.add(frame) : assembler.begin(frame)));
      if (!assembler.is_complete()) continue;
      const Publish publish = assembler.take();
      seen.push_back({base::Bytes(publish.exchange), base::Bytes(publish.routing_key),
                      base::Bytes(publish.body), static_cast<bool>(publish.message)});
      if (!publish.message) continue;
      CHECK(publish.message.exchange() == publish.exchange);
      CHECK(publish.message.properties() == publish.properties);
      CHECK(publish.message.body() == publish.body);
      CHECK(publish.message.is_persistent());
    }
    assembler.keep();
    // Whatever still refers to the part must show.
    part.assign(part.size(), '!');
  }
  CHECK(parser.error() == nullptr);
  return seen;
}

}  // namespace

TEST_CASE("publishes come out whole however the stream is cut") {
  base::Random random(4);
  base::Bytes bytes;
  std::vector<std::size_t> sizes{0, 1, 300, 600, 5000, 200000};
  for (std::size_t size : sizes)
    bytes += session::publish_frames("1 an-exchange-of-some-length a.key \"" +
                                     std::string(size, 'b') + "\" delivery_mode=2");
  for (std::size_t most : {3u, 40u, 1000u, 70000u, 1000000u}) {
    ContentAssembler assembler(1000000);
    const auto seen = assemble(assembler, bytes, most, random);
    REQUIRE(seen.size() == sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      CHECK(seen[i].exchange == "an-exchange-of-some-length");
      CHECK(seen[i].routing_key == "a.key");
      CHECK(seen[i].body == base::Bytes(sizes[i], 'b'));
    }
    // Several body frames are put together in the message itself.
    CHECK(seen.back().is_built);
    CHECK_FALSE(seen.front().is_built);
  }
}

TEST_CASE("an empty body frame before the whole body is nothing") {
  base::Random random(4);
  base::Bytes bytes = session::publish_frames("1 x key \"abc\" delivery_mode=2");
  base::Bytes empty;
  codec::amqp091::write_frame(empty, codec::amqp091::frame_body, 1, "");
  constexpr std::size_t body_frame_bytes = 3 + codec::amqp091::frame_overhead;
  bytes.insert(bytes.size() - body_frame_bytes, empty);
  ContentAssembler assembler(1000);
  auto seen = assemble(assembler, bytes, 1000, random);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].body == "abc");
}

TEST_CASE("a body over the limit is counted and thrown away") {
  base::Random random(5);
  ContentAssembler assembler(1000);
  const base::Bytes bytes = session::publish_frames("1 x k " + std::string(150000, 'b'));
  const auto seen = assemble(assembler, bytes, 5000, random);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].body.empty());
}
