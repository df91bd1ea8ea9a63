#include "broker/permission.h"

#include <doctest/doctest.h>

#include "broker/test_catalog.h"
#include "broker/login.h"
#include "broker/password.h"

using namespace warren;
using namespace warren::broker;

TEST_CASE_FIXTURE(CatalogFixture, "a user may do what the three patterns say") {
  user("u");
  permission("u", "^conf", "^(w|amq\\.default)", "");
  Authorizer authorizer(catalog);
  auto may = [&](Access access, ResourceKind kind, std::string_view name) {
    return authorizer.check("u", "/", kind, name, access).has_value();
  };
  CHECK(may(Access::configure, ResourceKind::queue, "config"));
  CHECK_FALSE(may(Access::configure, ResourceKind::queue, "my.conf"));
  CHECK(may(Access::write, ResourceKind::exchange, "w"));
  CHECK(may(Access::write, ResourceKind::exchange, ""));
  CHECK_FALSE(may(Access::configure, ResourceKind::exchange, ""));
  CHECK_FALSE(may(Access::read, ResourceKind::queue, "w"));
  CHECK(may(Access::read, ResourceKind::queue, ""));

  permission("u", ".*", "part", ".*");
  CHECK(may(Access::configure, ResourceKind::queue, "anything"));
  CHECK(may(Access::write, ResourceKind::queue, "a part of it"));
  CHECK_FALSE(may(Access::write, ResourceKind::queue, "w"));
}

TEST_CASE_FIXTURE(CatalogFixture, "refusals say what was refused to whom") {
  user("u");
  Authorizer authorizer(catalog);
  auto refusal = authorizer.check("u", "/", ResourceKind::queue, "q", Access::read);
  REQUIRE_FALSE(refusal.has_value());
  CHECK(refusal.error() == base::Error{base::ErrorCode::access_refused,
                                       "access to queue 'q' in vhost '/' refused for user 'u'"});
  permission("u", "", "", "");
  refusal = authorizer.check("u", "/", ResourceKind::exchange, "", Access::write);
  REQUIRE_FALSE(refusal.has_value());
  CHECK(refusal.error().text ==
        "access to exchange 'amq.default' in vhost '/' refused for user 'u'");
}

TEST_CASE_FIXTURE(CatalogFixture, "keys of topic exchanges") {
  user("a.b");
  Authorizer authorizer(catalog);
  auto may = [&](const char* exchange, std::string_view key, Access access) {
    const catalog::Exchange* found = catalog.find_exchange({"/", exchange});
    REQUIRE(found != nullptr);
    return authorizer.check_topic("a.b", *found, key, access).has_value();
  };
  CHECK(may("amq.topic", "k", Access::write));
  apply(catalog::SetTopicPermission{{{"/", "a.b", "amq.topic"}, "^{username}-{vhost}$", ""}});
  apply(catalog::SetTopicPermission{{{"/", "a.b", "amq.direct"}, "", ""}});
  CHECK(may("amq.topic", "a.b-/", Access::write));
  // The name is no pattern.
  CHECK_FALSE(may("amq.topic", "axb-/", Access::write));
  CHECK_FALSE(may("amq.topic", "k", Access::read));
  CHECK(may("amq.topic", "", Access::read));
  CHECK(may("amq.direct", "k", Access::write));
  CHECK(authorizer.check_topic("a.b", *catalog.find_exchange({"/", "amq.topic"}), "k", Access::read)
            .error() ==
        base::Error{base::ErrorCode::access_refused,
                    "access to topic 'k' in exchange 'amq.topic' in vhost '/' refused for user "
                    "'a.b'"});
}

TEST_CASE_FIXTURE(CatalogFixture, "vhosts that are missing or closed to the user") {
  user("u");
  Authorizer authorizer(catalog);
  CHECK(authorizer.check_vhost("u", "v").error() ==
        base::Error{base::ErrorCode::not_allowed, "vhost v not found"});
  CHECK(authorizer.check_vhost("u", "/").error() ==
        base::Error{base::ErrorCode::not_allowed, "access to vhost '/' refused for user 'u'"});
  permission("u", "", "", "");
  CHECK(authorizer.check_vhost("u", "/").has_value());
}

TEST_CASE("patterns that are broken or made to be slow refuse") {
  PatternCache cache;
  std::string many(60, 'a');
  CHECK_FALSE(cache.matches("(", "a"));
  CHECK_FALSE(cache.matches("^(a+)+$", many + "!"));
  CHECK(cache.matches("^(?!amq\\.).*", "queue"));
  CHECK_FALSE(cache.matches("^(?!amq\\.).*", "amq.gen-x"));
  CHECK(cache.matches("b", "abc"));
  CHECK_FALSE(cache.matches("", "abc"));
  CHECK(cache.matches("", ""));
}

TEST_CASE("the pattern cache stays right beyond its bounds") {
  PatternCache cache;
  for (int round = 0; round < 2; ++round)
    for (std::size_t i = 0; i < PatternCache::max_patterns + 10; ++i) {
      std::string name = std::to_string(i);
      REQUIRE(cache.matches("^" + name + "$", name));
      REQUIRE_FALSE(cache.matches("^" + name + "$", name + "x"));
      REQUIRE(cache.matches("^[0-9]+$", name));
    }
}

TEST_CASE_FIXTURE(CatalogFixture, "login needs the password and, for some, this host") {
  user("guest", *make_password_hash("secret", "salt"));
  user("nobody");
  std::vector<std::string> loopback_users{"guest"};
  auto login = [&](std::string_view name, std::string_view password, bool is_local) {
    auto result = check_login(catalog, name, password, is_local, loopback_users);
    if (result) return std::string("ok");
    CHECK(result.error().code == base::ErrorCode::access_refused);
    return result.error().text;
  };
  CHECK(login("guest", "secret", true) == "ok");
  CHECK(login("guest", "secret", false) == "user 'guest' can only connect via localhost");
  CHECK(login("guest", "wrong", false) == "user 'guest' - invalid credentials");
  CHECK(login("guest", "", true) == "user 'guest' - invalid credentials");
  CHECK(login("nobody", "", true) == "user 'nobody' - invalid credentials");
  CHECK(login("x", "secret", true) == "user 'x' - invalid credentials");
  loopback_users.clear();
  CHECK(login("guest", "secret", false) == "ok");
}
