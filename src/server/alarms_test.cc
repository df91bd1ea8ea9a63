#include "server/alarms.h"

#include <doctest/doctest.h>

using namespace warren::server;
using Changes = Alarms::Changes;

namespace {

Alarms alarms_with(std::uint64_t memory, std::uint64_t disk) {
  Alarms alarms("a@h");
  alarms.set_memory_limit(memory);
  alarms.set_disk_free_limit(disk);
  return alarms;
}

}  // namespace

TEST_CASE("an alarm is on exactly while its limit is passed") {
  Alarms alarms = alarms_with(1000, 50);
  CHECK(alarms.check(1000, 50, false).empty());
  CHECK(!alarms.any());
  CHECK(alarms.check(1001, 50, false) == Changes{{"memory", "a@h", true, false}});
  CHECK(alarms.reason() == "low on memory");
  CHECK(alarms.check(2000, 60, false).empty());
  CHECK(alarms.check(2000, 49, false) == Changes{{"disk", "a@h", true, false}});
  CHECK(alarms.reason() == "low on disk & memory");
  CHECK(alarms.bulletin() == "memory disk");
  CHECK(alarms.check(0, 49, false) == Changes{{"memory", "a@h", false, true}});
  CHECK(alarms.reason() == "low on disk");
  CHECK(alarms.bulletin() == "disk");
  CHECK(alarms.check(0, 50, false) == Changes{{"disk", "a@h", false, true}});
  CHECK(alarms.reason().empty());
  CHECK(alarms.bulletin().empty());
}

TEST_CASE("limits may change, and without any nothing alarms") {
  Alarms alarms("a@h");
  CHECK(alarms.check(UINT64_MAX, 0, false).empty());
  alarms.set_memory_limit(0);
  alarms.set_disk_free_limit(UINT64_MAX);
  CHECK(alarms.check(1, 1, false).size() == 2);
}

TEST_CASE("a full disk is an alarm without any limit") {
  Alarms alarms("a@h");
  CHECK(alarms.check(0, 1000, true).size() == 1);
  CHECK(alarms.reason() == "low on disk");
  CHECK(alarms.check(0, 1000, false).size() == 1);
  CHECK(!alarms.any());
}

TEST_CASE("another member's alarm counts until it says otherwise, or is gone") {
  Alarms alarms = alarms_with(1000, 50);
  CHECK(alarms.on_bulletin("b@h", "disk memory").size() == 2);
  CHECK(alarms.on_bulletin("c@h", "memory") == Changes{{"memory", "c@h", true, false}});
  CHECK(alarms.on_bulletin("c@h", "memory").empty());
  CHECK(alarms.reason() == "low on disk & memory");
  CHECK(!alarms.memory());
  CHECK(alarms.bulletin().empty());
  CHECK(alarms.on_bulletin("b@h", "memory") == Changes{{"disk", "b@h", false, true}});
  CHECK(alarms.on_bulletin("b@h", "") == Changes{{"memory", "b@h", false, false}});
  CHECK(alarms.on_bulletin("c@h", "") == Changes{{"memory", "c@h", false, true}});
  CHECK(!alarms.any());
}

TEST_CASE("without links only its own alarms are left") {
  Alarms alarms = alarms_with(1000, 50);
  alarms.check(1001, 50, false);
  alarms.on_bulletin("b@h", "memory disk");
  alarms.forget_others();
  CHECK(alarms.reason() == "low on memory");
  CHECK(alarms.all().size() == 1);
}
