#include "perf/confirm_window.h"

#include <doctest/doctest.h>

namespace warren::perf {

TEST_CASE("the window bounds what is unconfirmed") {
  ConfirmWindow window(3);
  Histogram latencies;
  CHECK(window.room() == 3);
  window.publish(3, 100);
  CHECK(window.room() == 0);
  CHECK(window.confirm(2, true, 150, latencies) == 2);
  CHECK(window.room() == 2);
  CHECK(window.unconfirmed() == 1);
  CHECK(latencies.count() == 2);
  CHECK(latencies.highest() == 50);
}

TEST_CASE("single confirms may come in any order, and twice") {
  ConfirmWindow window(4);
  Histogram latencies;
  window.publish(4, 10);
  CHECK(window.confirm(3, false, 20, latencies) == 1);
  CHECK(window.confirm(3, false, 20, latencies) == 0);
  CHECK(window.room() == 1);
  CHECK(window.confirm(4, true, 20, latencies) == 3);
  CHECK(window.room() == 4);
  CHECK(window.confirm(4, true, 20, latencies) == 0);
}

TEST_CASE("numbers that were never published confirm nothing") {
  ConfirmWindow window(4);
  Histogram latencies;
  CHECK(window.confirm(1, true, 20, latencies) == 0);
  window.publish(2, 10);
  CHECK(window.confirm(3, true, 20, latencies) == 0);
  CHECK(window.confirm(0, false, 20, latencies) == 0);
  CHECK(window.unconfirmed() == 2);
}

TEST_CASE("zero with multiple confirms everything so far") {
  ConfirmWindow window(4);
  Histogram latencies;
  window.publish(3, 10);
  CHECK(window.confirm(0, true, 20, latencies) == 3);
  CHECK(window.unconfirmed() == 0);
}

TEST_CASE("an oldest message that is never confirmed stops the window from going round") {
  ConfirmWindow window(2);
  Histogram latencies;
  window.publish(2, 10);
  std::uint64_t published = 2;
  while (window.room() > 0 || window.confirm(published, false, 20, latencies) > 0) {
    if (window.room() == 0) break;
    window.publish(1, 10);
    ++published;
    REQUIRE(published < 100);
  }
  CHECK(window.room() == 0);
  CHECK(window.confirm(1, false, 20, latencies) == 1);
  CHECK(window.room() > 0);
}

}  // namespace warren::perf
