#include "perf/message_pool.h"

#include <doctest/doctest.h>

#include <cstring>
#include <map>

#include "codec/amqp091_method.h"
#include "perf/scanner.h"

namespace warren::perf {

namespace {

struct Reader {
  std::map<std::string, int> keys;
  std::uint64_t bodies = 0;
  std::uint64_t octets = 0;
  std::uint64_t stamp = 0;

  void on_method(std::uint16_t, std::uint32_t, base::ByteView payload) {
    const auto publish = codec::amqp091::decode_publish(payload);
    REQUIRE(publish);
    CHECK(publish->exchange == "x");
    ++keys[std::string(publish->routing_key)];
  }
  void on_header(std::uint16_t, base::ByteView) { ++bodies; }
  void on_body(std::uint16_t, base::ByteView piece, std::uint32_t) {
    if (octets == 0 && piece.size() >= 8) std::memcpy(&stamp, piece.data(), 8);
    octets += piece.size();
  }
};

MessagePool::Shape shape(std::vector<std::string> keys, std::uint32_t size) {
  MessagePool::Shape shape;
  shape.exchange = "x";
  shape.routing_keys = std::move(keys);
  shape.size = size;
  shape.frame_max = 4096;
  return shape;
}

Reader read(base::ByteView bytes) {
  Reader reader;
  FrameScanner scanner(4096);
  CHECK(scanner.scan(bytes, reader) == bytes.size());
  return reader;
}

}  // namespace

TEST_CASE("every key has its turn equally often") {
  MessagePool pool(shape({"a", "bb", "ccc"}, 20));
  const auto reader = read(pool.span(0, pool.messages()));
  REQUIRE(reader.keys.size() == 3);
  CHECK(reader.keys.at("a") == reader.keys.at("ccc"));
  CHECK(reader.bodies == pool.messages());
}

TEST_CASE("a stamp goes to the front of the bodies that it is for") {
  for (const std::uint32_t size : {8U, 12U, 10000U}) {
    MessagePool pool(shape({"key"}, size));
    CHECK(pool.has_stamps());
    pool.stamp(2, 1, 0x1122334455667788);
    CHECK(read(pool.span(2, 1)).stamp == 0x1122334455667788);
    CHECK(read(pool.span(2, 1)).octets == size);
    CHECK(read(pool.span(1, 1)).stamp != 0x1122334455667788);
  }
  MessagePool small(shape({"key"}, 7));
  CHECK_FALSE(small.has_stamps());
  small.stamp(0, 1, 1);
  CHECK(read(small.span(0, 1)).octets == 7);
}

TEST_CASE("a batch fits, but is never nothing and never past the end") {
  for (const auto& keys : {std::vector<std::string>{"a"}, {"a", "bbbb"}}) {
    MessagePool pool(shape(keys, 100));
    const std::uint64_t count = pool.fitting(0, 1000, 2000);
    CHECK(count > 1);
    CHECK(pool.span(0, count).size() <= 2000);
    CHECK(pool.span(0, count + 1).size() > 2000);
    CHECK(pool.fitting(0, 3, 100000) == 3);
    CHECK(pool.fitting(0, 1000, 1) == 1);
    CHECK(pool.fitting(pool.messages() - 2, 1000, 100000) == 2);
  }
}

}  // namespace warren::perf
