#include "server/alarms.h"

#include <doctest/doctest.h>

using warren::server::Alarms;

TEST_CASE("an alarm is on exactly while its limit is passed") {
  Alarms alarms(1000, 50);
  CHECK(!alarms.check(1000, 50, false));
  CHECK(!alarms.any());
  CHECK(alarms.check(1001, 50, false));
  CHECK(alarms.reason() == "low on memory");
  CHECK(!alarms.check(2000, 60, false));
  CHECK(alarms.check(2000, 49, false));
  CHECK(alarms.reason() == "low on memory & low on disk");
  CHECK(alarms.check(0, 49, false));
  CHECK(alarms.reason() == "low on disk");
  CHECK(alarms.check(0, 50, false));
  CHECK(alarms.reason().empty());
}

TEST_CASE("a full disk is an alarm without any limit") {
  Alarms alarms(0, 0);
  CHECK(alarms.check(0, 1000, true));
  CHECK(alarms.reason() == "low on disk");
  CHECK(alarms.check(0, 1000, false));
  CHECK(!alarms.any());
}

TEST_CASE("a limit of nothing never alarms") {
  Alarms alarms(0, 0);
  CHECK(!alarms.check(UINT64_MAX, 0, false));
}
