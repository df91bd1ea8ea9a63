#include "management/limits.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::management;

namespace {

std::string refusal(std::string_view text) {
  catalog::Limits limits{.max_connections = 7};
  auto read = read_limits(text, vhost_limit_names, "limits", limits);
  REQUIRE_FALSE(read.has_value());
  CHECK(limits == catalog::Limits{.max_connections = 7});
  return read.error().text;
}

}  // namespace

TEST_CASE("limits are read over those that there are, and printed by name") {
  catalog::Limits limits{.max_connections = 7};
  REQUIRE(read_limits(R"({"max-queues":-1})", vhost_limit_names, "limits", limits).has_value());
  CHECK(print_json(limits_json(limits)) == R"({"max-connections":7,"max-queues":-1})");
  REQUIRE(read_limits("{}", vhost_limit_names, "limits", limits).has_value());
  CHECK(print_json(limits_json({})) == "{}");
}

TEST_CASE("limits that are none") {
  CHECK(refusal("max") == "JSON decoding error. Reason: badarg");
  CHECK(refusal("[]") == "limits must be a JSON object");
  CHECK(refusal(R"({"max-connections":1,"max-queues":"many"})") ==
        R"(max-queues should be a number, actually was <<"many">>)");
  CHECK(refusal(R"({"max-queues":1.5})") == "max-queues should be a number, actually was 1.5");
  CHECK(refusal(R"({"max-channels":1})") ==
        R"(Unrecognised terms [{<<"max-channels">>,1}] in limits)");
}
