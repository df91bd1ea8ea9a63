#include "broker/permission.h"

#include <doctest/doctest.h>

#include <set>

#include "broker/password.h"
#include "broker/pattern_cache.h"
#include "broker/test_catalog.h"

using namespace warren;
using namespace warren::broker;

namespace {

Login log_in(Authorizer& authorizer, std::string user) {
  Login login;
  authorizer.log_in(nullptr, {std::move(user), std::nullopt},
                    [&login](base::Result<Login> result) { login = result.value_or(Login{}); });
  return login;
}

/// One whose users have no passwords and may use what is named after them.
class NameBackend final : public AuthBackend {
 public:
  explicit NameBackend(std::set<std::string> users, std::string tag = {})
      : users_(std::move(users)), tag_(std::move(tag)) {}

  void authenticate(const LoginRequest& request,
                    std::function<void(base::Result<>)> answer) override {
    if (users_.contains(request.user)) return answer({});
    answer(base::fail(base::ErrorCode::access_refused, "nobody of " + *users_.begin()));
  }
  void authorize(const LoginRequest& request,
                 std::function<void(base::Result<Authorization>)> answer) override {
    authenticate(request, [&](const base::Result<>& result) {
      if (!result) return answer(std::unexpected(result.error()));
      answer(Authorization{{tag_}, std::make_shared<NameGrants>(request.user)});
    });
  }

 private:
  struct NameGrants final : Grants {
    explicit NameGrants(std::string name) : user(std::move(name)) {}
    Decision may_enter(std::string_view) override { return true; }
    Decision may_access(std::string_view, ResourceKind, std::string_view name, Access) override {
      return name.starts_with(user);
    }
    Decision may_use_key(const catalog::Exchange&, std::string_view, Access) override {
      return false;
    }
    std::string user;
  };

  std::set<std::string> users_;
  std::string tag_;
};

}  // namespace

TEST_CASE_FIXTURE(CatalogFixture, "a user may do what the three patterns say") {
  user("u");
  permission("u", "^conf", "^(w|amq\\.default)", "");
  Authorizer authorizer(catalog);
  auto may = [&](Access access, ResourceKind kind, std::string_view name) {
    return authorizer.check(log_in(authorizer, "u"), "/", kind, name, access).has_value();
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
  const Login u = log_in(authorizer, "u");
  auto refusal = authorizer.check(u, "/", ResourceKind::queue, "q", Access::read);
  REQUIRE_FALSE(refusal.has_value());
  CHECK(refusal.error() == base::Error{base::ErrorCode::access_refused,
                                       "access to queue 'q' in vhost '/' refused for user 'u'"});
  permission("u", "", "", "");
  refusal = authorizer.check(u, "/", ResourceKind::exchange, "", Access::write);
  REQUIRE_FALSE(refusal.has_value());
  CHECK(refusal.error().text ==
        "access to exchange 'amq.default' in vhost '/' refused for user 'u'");
}

TEST_CASE_FIXTURE(CatalogFixture, "keys of topic exchanges") {
  user("a.b");
  Authorizer authorizer(catalog);
  const Login a_b = log_in(authorizer, "a.b");
  auto may = [&](const char* exchange, std::string_view key, Access access) {
    const catalog::Exchange* found = catalog.find_exchange({"/", exchange});
    REQUIRE(found != nullptr);
    return authorizer.check_topic(a_b, *found, key, access).has_value();
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
  const catalog::Exchange& topics = *catalog.find_exchange({"/", "amq.topic"});
  CHECK(authorizer.check_topic(a_b, topics, "k", Access::read).error() ==
        base::Error{base::ErrorCode::access_refused,
                    "access to topic 'k' in exchange 'amq.topic' in vhost '/' refused for user "
                    "'a.b'"});
}

TEST_CASE_FIXTURE(CatalogFixture, "vhosts that are missing or closed to the user") {
  user("u");
  Authorizer authorizer(catalog);
  CHECK(authorizer.check_vhost(log_in(authorizer, "u"), "v").error() ==
        base::Error{base::ErrorCode::not_allowed, "vhost v not found"});
  CHECK(authorizer.check_vhost(log_in(authorizer, "u"), "/").error() ==
        base::Error{base::ErrorCode::not_allowed, "access to vhost '/' refused for user 'u'"});
  permission("u", "", "", "");
  CHECK(authorizer.check_vhost(log_in(authorizer, "u"), "/").has_value());
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
  Authorizer authorizer(catalog);
  auto login = [&](std::string name, std::string password, bool is_local) {
    std::string heard;
    authorizer.log_in(nullptr, {name, password}, [&](const base::Result<Login>& result) {
      const auto placed = check_place(name, is_local, loopback_users);
      heard = result && placed ? "ok" : result ? placed.error().text : result.error().text;
    });
    return heard;
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

TEST_CASE_FIXTURE(CatalogFixture, "the first link that accepts a user counts") {
  user("b");
  permission("b", ".*", ".*", ".*");
  const auto internal = make_internal_backend(catalog);
  const auto names = std::make_shared<NameBackend>(std::set<std::string>{"a", "b"}, "tagged");
  Authorizer authorizer(catalog, {{names, {names}}, {internal, {internal}}});
  const Login a = log_in(authorizer, "a");
  CHECK(a.tags == std::vector<std::string>{"tagged"});
  CHECK(authorizer.check(a, "/", ResourceKind::queue, "a.q", Access::read));
  CHECK(!authorizer.check(a, "/", ResourceKind::queue, "b.q", Access::read));
  CHECK(!authorizer.check_topic(a, *catalog.find_exchange({"/", "amq.topic"}), "", Access::read));
  CHECK(!authorizer.check(log_in(authorizer, "b"), "/", ResourceKind::queue, "q", Access::read));

  Authorizer other_way(catalog, {{internal, {internal}}, {names, {names}}});
  CHECK(other_way.check(log_in(other_way, "b"), "/", ResourceKind::queue, "q", Access::read));
  CHECK(log_in(other_way, "a").user == "a");

  std::string refusal;
  authorizer.log_in(nullptr, {"c", "p"},
                    [&](const base::Result<Login>& result) { refusal = result.error().text; });
  CHECK(refusal == "user 'c' - invalid credentials");
}

TEST_CASE_FIXTURE(CatalogFixture, "all that authorize have to allow") {
  user("a");
  permission("a", "", "", "x$");
  const auto internal = make_internal_backend(catalog);
  const auto names = std::make_shared<NameBackend>(std::set<std::string>{"a", "b"}, "tagged");
  Authorizer authorizer(catalog, {{names, {names, internal}}});
  const Login a = log_in(authorizer, "a");
  CHECK(authorizer.check(a, "/", ResourceKind::queue, "a.x", Access::read));
  CHECK(!authorizer.check(a, "/", ResourceKind::queue, "b.x", Access::read));
  CHECK(!authorizer.check(a, "/", ResourceKind::queue, "a.y", Access::read));
  CHECK(log_in(authorizer, "b").grants.empty());  // the catalog has none of that name
  CHECK(!authorizer.check(Login{"a"}, "/", ResourceKind::queue, "a.x", Access::read));
}
