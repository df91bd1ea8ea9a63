#include "session/client_limits.h"

#include <doctest/doctest.h>

#include "broker/test_catalog.h"

using namespace warren;
using namespace warren::session;

namespace {

struct LimitsFixture : broker::CatalogFixture {
  ClientLimits limits{catalog};

  LimitsFixture() { user("u"); }
  void limit_vhost(std::optional<std::int64_t> connections) {
    apply(catalog::SetVhostLimits{"/", catalog::Limits{.max_connections = connections}});
  }
  void limit_user(std::optional<std::int64_t> connections, std::optional<std::int64_t> channels) {
    apply(catalog::SetUserLimits{
        "u", catalog::Limits{.max_connections = connections, .max_channels = channels}});
  }
};

}  // namespace

TEST_CASE_FIXTURE(LimitsFixture, "without limits there is room for all, and nothing to tell") {
  for (int i = 0; i < 5; ++i) limits.add_connection("u", "/");
  limits.add_channel("u");
  CHECK(limits.check_vhost("u", "/").has_value());
  CHECK(limits.check_user("u").has_value());
  CHECK(limits.check_channel("u").has_value());
  CHECK(limits.take_changes().empty());
  CHECK(limits.check_vhost("u", "nosuch").error().text == "vhost nosuch not found");
}

TEST_CASE_FIXTURE(LimitsFixture, "a limit says who is refused, and by what") {
  limit_vhost(1);
  limit_user(1, 2);
  limits.add_connection("u", "/");
  limits.add_channel("u");
  CHECK(limits.check_channel("u").has_value());
  limits.add_channel("u");
  CHECK(limits.check_vhost("u", "/").error() ==
        base::Error{base::ErrorCode::not_allowed,
                    "access to vhost '/' refused for user 'u': connection limit (1) is reached"});
  CHECK(limits.check_user("u").error().text ==
        "connection refused for user 'u': user connection limit (1) is reached");
  CHECK(limits.check_channel("u").error().text ==
        "number of channels opened for user 'u' has reached the maximum allowed user limit of (2)");
  limits.remove_channels("u", 2);
  limits.remove_connection("u", "/");
  CHECK(limits.check_vhost("u", "/").has_value());
  CHECK(limits.check_user("u").has_value());
  CHECK(limits.check_channel("u").has_value());
}

TEST_CASE_FIXTURE(LimitsFixture, "a negative limit is none, and nothing is let through by zero") {
  limit_vhost(-5);
  CHECK(limits.check_vhost("u", "/").has_value());
  limit_vhost(0);
  CHECK_FALSE(limits.check_vhost("u", "/").has_value());
}

TEST_CASE_FIXTURE(LimitsFixture, "what other members use counts until they use it no more") {
  limit_user(3, std::nullopt);
  limits.add_connection("u", "/");
  const Use one{UseKind::user_connections, "u", 1};
  limits.set_other("b@h", one);
  CHECK(limits.check_user("u").has_value());
  limits.set_other("c@h", one);
  CHECK_FALSE(limits.check_user("u").has_value());
  limits.set_other("b@h", {UseKind::user_connections, "u", 0});
  CHECK(limits.check_user("u").has_value());
}

TEST_CASE_FIXTURE(LimitsFixture, "members hear of what is limited, also of old uses") {
  limits.add_connection("u", "/");
  CHECK_FALSE(limits.has_changes());
  limit_user(5, std::nullopt);
  limits.on_limits_changed(UseKind::user_connections, "u");
  limits.on_limits_changed(UseKind::user_channels, "u");
  CHECK(limits.take_changes() == std::vector<Use>{{UseKind::user_connections, "u", 1}});
  limits.add_connection("u", "/");
  limits.add_connection("u", "/");
  limits.remove_connection("u", "/");
  CHECK(limits.take_changes() == std::vector<Use>{{UseKind::user_connections, "u", 2}});
  limits.remove_connection("u", "/");
  limits.remove_connection("u", "/");
  CHECK(limits.take_changes() == std::vector<Use>{{UseKind::user_connections, "u", 0}});
  CHECK_FALSE(limits.has_changes());
}
