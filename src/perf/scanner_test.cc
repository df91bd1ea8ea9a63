#include "perf/scanner.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "codec/amqp091_method.h"

namespace warren::perf {

namespace {

namespace amqp = codec::amqp091;

/// Writes down what the scanner hands on.
struct Recorder {
  std::vector<std::string> events;
  std::string body;
  std::size_t shortest_first_piece = 1U << 30;
  bool is_inside = false;

  void on_method(std::uint16_t channel, std::uint32_t key, base::ByteView payload) {
    events.push_back("method " + std::to_string(channel) + " " + std::to_string(key >> 16) + "." +
                     std::to_string(key & 0xffff) + " " + std::to_string(payload.size()));
  }
  void on_header(std::uint16_t channel, base::ByteView payload) {
    events.push_back("header " + std::to_string(channel) + " " +
                     std::to_string(read_u64(payload.data() + 4)));
  }
  void on_body(std::uint16_t channel, base::ByteView piece, std::uint32_t left) {
    if (!is_inside) shortest_first_piece = std::min(shortest_first_piece, piece.size());
    body += piece;
    is_inside = left > 0;
    if (!is_inside) events.push_back("body " + std::to_string(channel));
  }
};

std::string delivery(std::size_t size) {
  std::string bytes;
  amqp::BasicDeliver deliver;
  deliver.consumer_tag = "c0";
  deliver.delivery_tag = 7;
  deliver.routing_key = "perf";
  amqp::encode_method(bytes, 1, deliver);
  amqp::write_header_frame(bytes, 1, 60, size, base::ByteView("\0\0", 2));
  amqp::write_body_frames(bytes, 1, std::string(size, 'b'), 4096);
  return bytes;
}

/// Offers the bytes in pieces of that size, what is left each time with more behind it.
bool scan_in_pieces(base::ByteView bytes, std::size_t piece, Recorder& recorder) {
  FrameScanner scanner(131072);
  std::string offered;
  while (!bytes.empty() && !scanner.failed()) {
    offered += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    offered.erase(0, scanner.scan(offered, recorder));
  }
  return !scanner.failed() && offered.empty();
}

}  // namespace

TEST_CASE("a delivery is found whatever the pieces that it comes in") {
  std::string heartbeat;
  amqp::write_heartbeat(heartbeat);
  const std::string bytes = delivery(10000) + heartbeat + delivery(12) + delivery(0);
  Recorder whole;
  REQUIRE(scan_in_pieces(bytes, bytes.size(), whole));
  CHECK(whole.events == std::vector<std::string>{
                            "method 1 60.60 22", "header 1 10000", "body 1", "body 1", "body 1",
                            "method 1 60.60 22", "header 1 12", "body 1", "method 1 60.60 22",
                            "header 1 0"});
  CHECK(whole.body == std::string(10012, 'b'));
  for (const std::size_t piece : {1, 2, 7, 8, 63, 64, 65, 1000, 4096, 5000}) {
    Recorder recorder;
    CAPTURE(piece);
    REQUIRE(scan_in_pieces(bytes, piece, recorder));
    CHECK(recorder.events == whole.events);
    CHECK(recorder.body == whole.body);
    // Enough for a time stamp, but where the message itself has less.
    CHECK(recorder.shortest_first_piece >= 12);
  }
}

TEST_CASE("a body may be passed over, and what follows it is found") {
  const std::string bytes = delivery(4000) + delivery(12);
  Recorder recorder;
  FrameScanner scanner(131072);
  CHECK(scanner.body_left() == 0);
  const std::size_t front = 300;
  const std::size_t taken = scanner.scan(base::ByteView(bytes).substr(0, front), recorder);
  CHECK(taken == front);
  const std::uint32_t left = scanner.body_left();
  CHECK(left == 4000 - recorder.body.size());
  scanner.skip(left - 10);
  CHECK(scanner.body_left() == 10);
  scanner.skip(10);
  CHECK(scanner.body_left() == 0);
  const auto rest = base::ByteView(bytes).substr(front + left);
  CHECK(scanner.scan(rest, recorder) == rest.size());
  CHECK_FALSE(scanner.failed());
  CHECK(recorder.events.back() == "body 1");
  CHECK(recorder.events[recorder.events.size() - 2] == "header 1 12");
}

TEST_CASE("what is no frame stops the scanner") {
  const std::string good = delivery(100);
  const auto fails = [](std::string bytes) {
    for (const std::size_t piece : {bytes.size(), std::size_t{1}}) {
      Recorder recorder;
      FrameScanner scanner(4088);
      std::string offered;
      for (std::size_t i = 0; i < bytes.size() && !scanner.failed(); i += piece) {
        offered += bytes.substr(i, piece);
        offered.erase(0, scanner.scan(offered, recorder));
      }
      if (!scanner.failed()) return false;
      CHECK(scanner.scan("anything", recorder) == 0);
    }
    return true;
  };
  CHECK_FALSE(fails(good));
  std::string bad_end = good;
  bad_end.back() = 'x';
  CHECK(fails(bad_end));
  std::string too_large = good;
  too_large[3] = 1;
  CHECK(fails(too_large));
  std::string no_type = good;
  no_type[0] = 4;
  CHECK(fails(no_type));
  CHECK(fails(std::string("\x01\0\0\0\0\0\x02xx\xce", 10)));
  CHECK(fails(std::string("\x02\0\0\0\0\0\x02xx\xce", 10)));
}

TEST_CASE("a body frame that is cut keeps its end octet in mind") {
  std::string bytes = delivery(200);
  bytes.back() = 'x';
  Recorder recorder;
  CHECK_FALSE(scan_in_pieces(bytes, 100, recorder));
}

}  // namespace warren::perf
