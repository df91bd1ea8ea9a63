#include "server/control_endpoint.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::server;

TEST_CASE("control frames come back out as they went in") {
  base::Bytes buffer = make_control_frame("{}") + make_control_frame("") + "\0\0";
  auto first = take_control_frame(buffer, 100);
  REQUIRE(first);
  CHECK(*first == "{}");
  CHECK(*take_control_frame(buffer, 100) == "");
  CHECK(!take_control_frame(buffer, 100)->has_value());
}

TEST_CASE("a frame is complete only with its last octet") {
  base::Bytes frame = make_control_frame("{\"command\":\"status\"}");
  for (std::size_t size = 0; size < frame.size(); ++size) {
    base::Bytes part = frame.substr(0, size);
    auto taken = take_control_frame(part, 100);
    REQUIRE(taken);
    CHECK(!taken->has_value());
    CHECK(part.size() == size);
  }
}

TEST_CASE("a frame beyond the limit is refused before it has arrived") {
  base::Bytes buffer("\x7f\xff\xff\xff", 4);
  auto taken = take_control_frame(buffer, max_control_request);
  REQUIRE(!taken);
  CHECK(taken.error().code == base::ErrorCode::frame_error);
}
