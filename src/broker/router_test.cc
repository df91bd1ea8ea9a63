#include "broker/router.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "broker/test_catalog.h"

using namespace warren;
using namespace warren::broker;
using base::FieldTable;
using base::FieldValue;

namespace {

struct RouterFixture : CatalogFixture {
  Router router{catalog};

  /// The names of the queues reached, in order.
  std::string route(const std::string& exchange, std::string_view key,
                    const FieldTable* headers = nullptr) {
    std::vector<catalog::QueueId> ids;
    router.route({"/", exchange}, key, headers, ids);
    return names(ids);
  }
  std::string route_many(const std::string& exchange, std::vector<std::string_view> keys) {
    std::vector<catalog::QueueId> ids;
    router.route({"/", exchange}, keys, nullptr, ids);
    return names(ids);
  }
  std::string names(const std::vector<catalog::QueueId>& ids) const {
    CHECK(std::ranges::is_sorted(ids));
    std::string all;
    for (catalog::QueueId id : ids)
      all += (all.empty() ? "" : " ") + catalog.find_queue(id)->name.name;
    return all;
  }
};

}  // namespace

TEST_CASE_FIXTURE(RouterFixture, "the default exchange leads to the queue of that name") {
  queue("a");
  CHECK(route("", "a") == "a");
  CHECK(route("", "b").empty());
  queue("b");
  CHECK(route("", "b") == "b");
  apply(catalog::DeleteQueue{catalog.find_queue({"/", "a"})->id});
  CHECK(route("", "a").empty());
}

TEST_CASE_FIXTURE(RouterFixture, "direct, fanout and topic exchanges go by their bindings") {
  for (const char* name : {"a", "b", "c"}) queue(name);
  bind("amq.direct", "a", "k");
  bind("amq.direct", "b", "k");
  bind("amq.direct", "c", "");
  CHECK(route("amq.direct", "k") == "a b");
  CHECK(route("amq.direct", "") == "c");
  CHECK(route("amq.direct", "K").empty());
  bind("amq.fanout", "c", "x");
  bind("amq.fanout", "a", "y");
  bind("amq.fanout", "a", "z");
  CHECK(route("amq.fanout", "anything") == "a c");
  bind("amq.topic", "a", "*.x");
  bind("amq.topic", "a", "#");
  bind("amq.topic", "b", "y.*");
  CHECK(route("amq.topic", "y.x") == "a b");
  CHECK(route("amq.topic", "") == "a");
  CHECK(route("nosuch", "k").empty());
}

TEST_CASE_FIXTURE(RouterFixture, "a change of the bindings counts at once") {
  queue("a");
  bind("amq.direct", "a", "k");
  CHECK(route("amq.direct", "k") == "a");
  apply(catalog::RemoveBinding{binding("amq.direct", "a", "k", {})});
  CHECK(route("amq.direct", "k").empty());
  bind("amq.direct", "a", "k");
  CHECK(route("amq.direct", "k") == "a");
}

TEST_CASE_FIXTURE(RouterFixture, "bindings between exchanges, in circles too") {
  for (const char* name : {"a", "b", "c"}) queue(name);
  exchange("x", "direct");
  exchange("y", "topic");
  bind("x", "->y", "k.1");
  bind("y", "->x", "#");
  bind("y", "a", "k.*");
  bind("x", "a", "k.1");
  bind("x", "b", "k.2");
  CHECK(route("x", "k.1") == "a");
  CHECK(route("y", "k.1") == "a");
  CHECK(route("y", "k.2") == "a b");
  CHECK(route("x", "k.2") == "b");
  CHECK(route("x", "k.3").empty());
}

TEST_CASE_FIXTURE(RouterFixture, "the alternate exchange takes what has no binding") {
  for (const char* name : {"a", "b", "lost"}) queue(name);
  exchange("x", "direct", {{"alternate-exchange", FieldValue("y")}});
  exchange("y", "direct", {{"alternate-exchange", FieldValue("z")}});
  exchange("z", "fanout", {{"alternate-exchange", FieldValue("x")}});
  bind("x", "a", "k");
  bind("y", "b", "l");
  CHECK(route("x", "k") == "a");
  CHECK(route("x", "l") == "b");
  CHECK(route("x", "m").empty());
  bind("z", "lost", "");
  CHECK(route("x", "m") == "lost");
  CHECK(route("y", "k") == "lost");
  exchange("v", "direct", {{"alternate-exchange", FieldValue("nosuch")}});
  CHECK(route("v", "k").empty());
}

TEST_CASE_FIXTURE(RouterFixture, "the default exchange is no alternate") {
  queue("a");
  exchange("x", "direct", {{"alternate-exchange", FieldValue("")}});
  CHECK(route("x", "a").empty());
  CHECK(route("", "a") == "a");
}

TEST_CASE_FIXTURE(RouterFixture, "a policy can name the alternate exchange") {
  queue("lost");
  exchange("x", "direct");
  exchange("y", "direct", {{"alternate-exchange", FieldValue("amq.direct")}});
  bind("amq.fanout", "lost", "");
  catalog::Policy policy;
  policy.name = {"/", "p"};
  policy.pattern = "^[xy]$";
  policy.definition = R"({"alternate-exchange":"amq.fanout"})";
  policy.applies_to = catalog::AppliesTo::exchanges;
  CHECK(route("x", "k").empty());
  apply(catalog::SetPolicy{policy});
  CHECK(route("x", "k") == "lost");
  CHECK(route("y", "k").empty());
  apply(catalog::ClearPolicy{policy.name});
  CHECK(route("x", "k").empty());
}

TEST_CASE_FIXTURE(RouterFixture, "several keys are one message") {
  for (const char* name : {"a", "b", "lost"}) queue(name);
  exchange("x", "direct", {{"alternate-exchange", FieldValue("y")}});
  exchange("y", "fanout");
  bind("y", "lost", "");
  bind("x", "a", "k");
  CHECK(route_many("x", {"k", "nosuch"}) == "a");
  CHECK(route_many("x", {"nosuch", "none"}) == "lost");
  CHECK(route_many("", {"b", "a", "b", "nosuch"}) == "a b");
}

TEST_CASE_FIXTURE(RouterFixture, "answers gather in one set") {
  catalog::QueueId a = queue("a"), b = queue("b");
  std::vector<catalog::QueueId> ids{b};
  router.route({"/", ""}, "a", nullptr, ids);
  router.route({"/", ""}, "b", nullptr, ids);
  CHECK(ids == std::vector{a, b});
}

TEST_CASE_FIXTURE(RouterFixture, "headers are needed where a headers exchange can be reached") {
  queue("a");
  exchange("x", "direct");
  exchange("y", "fanout", {{"alternate-exchange", FieldValue("x")}});
  CHECK_FALSE(router.needs({"/", "x"}).content);
  CHECK_FALSE(router.needs({"/", ""}).content);
  CHECK_FALSE(router.needs({"/", "nosuch"}).content);
  CHECK(router.needs({"/", "amq.match"}).content);
  bind("x", "->amq.headers", "k");
  bind("amq.headers", "a", "", {{"colour", FieldValue("red")}});
  CHECK(router.needs({"/", "x"}).content);
  CHECK(router.needs({"/", "y"}).content);
  CHECK_FALSE(router.needs({"/", "amq.direct"}).content);
  FieldTable red{{"colour", FieldValue("red")}}, blue{{"colour", FieldValue("blue")}};
  CHECK(route("x", "k", &red) == "a");
  CHECK(route("x", "k", &blue).empty());
  CHECK(route("x", "k").empty());
  CHECK(route("x", "l", &red).empty());
  CHECK(route("amq.headers", "k", &red) == "a");
}

TEST_CASE_FIXTURE(RouterFixture, "more keys than the cache holds are still routed right") {
  queue("a");
  bind("amq.topic", "a", "even.#");
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 5000; ++i) {
      std::string key = (i % 2 == 0 ? "even." : "odd.") + std::to_string(i);
      REQUIRE(route("amq.topic", key) == (i % 2 == 0 ? "a" : ""));
    }
}

TEST_CASE_FIXTURE(RouterFixture, "each message to one queue") {
  for (const char* name : {"a", "b", "c", "lost"}) queue(name);
  bind("amq.fanout", "lost", "");
  for (const std::string type : {"x-consistent-hash", "x-modulus-hash", "x-random"}) {
    CAPTURE(type);
    exchange("x", type, {{"alternate-exchange", FieldValue("amq.fanout")}});
    CHECK(route("x", "k") == "lost");
    for (const char* name : {"a", "b", "c"}) bind("x", name, "1");
    std::set<std::string> reached;
    for (int key = 0; key < 100; ++key) {
      const std::string first = route("x", std::to_string(key));
      if (type != "x-random") CHECK(route("x", std::to_string(key)) == first);
      reached.insert(first);
    }
    CHECK(reached == std::set<std::string>{"a", "b", "c"});
    CHECK(route_many("x", {"k", "l", "m"}).size() == 1);
    for (const char* name : {"a", "b", "c"}) {
      CHECK(route("x", "k") != "lost");
      apply(catalog::RemoveBinding{binding("x", name, "1", {})});
    }
    CHECK(route("x", "k") == "lost");
    apply(catalog::DeleteExchange{{"/", "x"}});
  }
}

TEST_CASE_FIXTURE(RouterFixture, "a queue that is bound twice stays until it is unbound twice") {
  queue("a");
  exchange("x", "x-consistent-hash");
  bind("x", "a", "1");
  bind("x", "a", "2");
  apply(catalog::RemoveBinding{binding("x", "a", "1", {})});
  CHECK(route("x", "k") == "a");
  apply(catalog::RemoveBinding{binding("x", "a", "2", {})});
  CHECK(route("x", "k").empty());
}

TEST_CASE_FIXTURE(RouterFixture, "answers by chance or by content are not for the key alone") {
  exchange("random", "x-random");
  exchange("modulus", "x-modulus-hash");
  exchange("by key", "x-consistent-hash");
  exchange("by header", "x-consistent-hash", {{"hash-header", FieldValue("h")}});
  CHECK_FALSE(router.needs({"/", "random"}).key_alone);
  CHECK_FALSE(router.needs({"/", "random"}).content);
  CHECK(router.needs({"/", "modulus"}).key_alone);
  CHECK(router.needs({"/", "by key"}).key_alone);
  CHECK_FALSE(router.needs({"/", "by header"}).key_alone);
  CHECK(router.needs({"/", "by header"}).content);
  CHECK(router.needs({"/", "amq.direct"}).key_alone);
  bind("amq.direct", "->random", "k");
  CHECK_FALSE(router.needs({"/", "amq.direct"}).key_alone);
}

TEST_CASE_FIXTURE(RouterFixture, "recent-history exchanges are told of where a message came by") {
  using catalog::ResourceName;
  const std::vector<ResourceName> none, x{{"/", "x"}};
  queue("a");
  exchange("x", "x-recent-history");
  bind("amq.direct", "->x", "k");
  CHECK(route("x", "k").empty());
  CHECK(router.histories() == x);
  CHECK(route("", "a") == "a");
  CHECK(router.histories() == none);
  bind("x", "a", "");
  CHECK(route("amq.direct", "k") == "a");
  CHECK(router.histories() == x);
  CHECK(route("amq.direct", "l").empty());
  CHECK(router.histories() == none);
  FieldTable headers{{"x-recent-history-no-store", FieldValue(true)}};
  CHECK(route("x", "k", &headers) == "a");
  CHECK(router.histories() == none);
  headers.set("x-recent-history-no-store", FieldValue("true"));
  CHECK(route("x", "k", &headers) == "a");
  CHECK(router.histories() == x);
  CHECK_FALSE(router.needs({"/", "amq.direct"}).key_alone);
}

TEST_CASE("how long a message is to wait") {
  auto delay = [](FieldValue value) {
    const FieldTable headers{{"x-delay", std::move(value)}};
    return find_delay_ms(&headers);
  };
  CHECK(find_delay_ms(nullptr) == 0);
  CHECK(delay(std::int32_t{5000}) == 5000);
  CHECK(delay(std::int64_t{4'294'967'295}) == 4'294'967'295u);
  CHECK(delay(std::int64_t{4'294'967'296}) == 0);
  CHECK(delay(std::int8_t{-1}) == 0);
  CHECK(delay(std::uint16_t{7}) == 7);
  CHECK(delay(2.9) == 2);
  CHECK(delay(0.9) == 0);
  CHECK(delay(4'294'967'295.9) == 4'294'967'295u);
  CHECK(delay(1e300) == 0);
  CHECK(delay(std::nan("")) == 0);
  CHECK(delay(3.5f) == 3);
  CHECK(delay("250") == 250);
  CHECK(delay("+250") == 250);
  CHECK(delay("-250") == 0);
  CHECK(delay("soon") == 0);
  CHECK(delay("99999999999999999999") == 0);
  CHECK(delay(true) == 0);
  CHECK(delay(base::FieldDecimal{2, 500}) == 0);
  CHECK(delay(base::FieldTimestamp{500}) == 0);
}

TEST_CASE_FIXTURE(RouterFixture, "a message that is to wait goes to the queue of its exchange") {
  const FieldTable later{{"x-delay", FieldValue(std::int32_t{100})}};
  const FieldTable over{{"x-delay", FieldValue(std::int32_t{-100})}};
  queue("a");
  exchange("x", "x-delayed-message", {{"x-delayed-type", FieldValue("direct")}});
  bind("x", "a", "k");
  CHECK(router.needs({"/", "x"}).content);
  CHECK_FALSE(router.needs({"/", "x"}).key_alone);
  CHECK(route("x", "k", &later) == "amq.delayed.x");
  CHECK(router.is_held_back());
  // Where it leads is asked when it is due.
  CHECK(route("x", "nowhere", &later) == "amq.delayed.x");
  CHECK(route("x", "k", &over) == "a");
  CHECK_FALSE(router.is_held_back());
  CHECK(route("x", "k") == "a");
  CHECK(route("x", "nowhere").empty());
  CHECK_FALSE(router.is_held_back());
}

TEST_CASE_FIXTURE(RouterFixture, "a message may go to a queue at once and wait for others") {
  const FieldTable later{{"x-delay", FieldValue(std::int32_t{100})}};
  queue("a");
  exchange("x", "x-delayed-message", {{"x-delayed-type", FieldValue("fanout")}});
  exchange("y", "x-delayed-message", {{"x-delayed-type", FieldValue("topic")}});
  bind("amq.fanout", "->x", "");
  CHECK(route("amq.fanout", "", &later) == "amq.delayed.x");
  CHECK(router.is_held_back());
  bind("amq.fanout", "->y", "");
  CHECK(route("amq.fanout", "", &later) == "amq.delayed.x amq.delayed.y");
  CHECK(router.is_held_back());
  bind("amq.fanout", "a", "");
  CHECK(route("amq.fanout", "", &later) == "a amq.delayed.x amq.delayed.y");
  CHECK_FALSE(router.is_held_back());
  CHECK(route("amq.fanout", "") == "a");
}

TEST_CASE_FIXTURE(RouterFixture, "an exchange that delays knows its alternate when time has come") {
  const FieldTable later{{"x-delay", FieldValue(std::int32_t{100})}};
  queue("lost");
  bind("amq.fanout", "lost", "");
  exchange("x", "x-delayed-message",
           {{"x-delayed-type", FieldValue("direct")},
            {"alternate-exchange", FieldValue("amq.fanout")}});
  CHECK(route("x", "k", &later) == "amq.delayed.x");
  CHECK(route("x", "k") == "lost");
}

TEST_CASE_FIXTURE(RouterFixture, "nobody publishes to a queue of delayed messages by its name") {
  exchange("x", "x-delayed-message", {{"x-delayed-type", FieldValue("direct")}});
  CHECK(route("", "amq.delayed.x").empty());
}
