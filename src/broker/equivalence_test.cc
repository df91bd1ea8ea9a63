#include "broker/equivalence.h"

#include <doctest/doctest.h>

#include "broker/exchange_declaration.h"
#include "broker/resource.h"

using namespace warren;
using namespace warren::broker;
using base::ErrorCode;
using base::FieldTable;
using base::FieldValue;

namespace {

constexpr catalog::ConnectionId owner{1}, stranger{2};
constexpr const char* locked =
    "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally "
    "declared on another connection or the exclusive property value does not match that of the "
    "original declaration.";

std::string text_of(const base::Result<>& result) {
  return result ? "ok" : result.error().text;
}

catalog::Queue make_queue(FieldTable arguments = {}) {
  catalog::Queue queue;
  queue.name = {"/", "q"};
  queue.durable = true;
  queue.arguments = std::move(arguments);
  return queue;
}

QueueDeclaration declaration(FieldTable arguments = {}) {
  return {.name = {"/", "q"}, .durable = true, .arguments = std::move(arguments)};
}

catalog::Exchange make_exchange(std::string type = "direct", FieldTable arguments = {}) {
  catalog::Exchange exchange;
  exchange.name = {"/", "x"};
  exchange.type = std::move(type);
  exchange.arguments = std::move(arguments);
  return exchange;
}

std::string compare(FieldTable current, FieldTable wanted) {
  return text_of(
      check_equivalent(make_queue(std::move(current)), declaration(std::move(wanted)), owner));
}

}  // namespace

TEST_CASE("a queue's properties are compared in order") {
  catalog::Queue queue = make_queue();
  CHECK(check_equivalent(queue, declaration(), owner).has_value());
  QueueDeclaration wanted = declaration();
  wanted.auto_delete = true;
  CHECK(text_of(check_equivalent(queue, wanted, owner)) ==
        "inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'true' but current "
        "is 'false'");
  wanted.durable = false;
  CHECK(text_of(check_equivalent(queue, wanted, owner)) ==
        "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is "
        "'true'");
  wanted.exclusive = true;
  auto result = check_equivalent(queue, wanted, owner);
  CHECK(result.error() == base::Error{ErrorCode::resource_locked, locked});
}

TEST_CASE("arguments are compared by their values, whatever type holds them") {
  const FieldTable text = {{"x-overflow", FieldValue("drop-head")}};
  const FieldTable octets = {{"x-overflow", FieldValue(base::FieldBinary{"drop-head"})}};
  CHECK(compare(text, octets) == "ok");
  CHECK(compare(octets, text) == "ok");
  const FieldTable number = {{"x-max-length", FieldValue(std::int32_t{5})}};
  CHECK(compare(number, {{"x-max-length", FieldValue(base::FieldTimestamp{5})}}) == "ok");
  CHECK(compare(number, {{"x-max-length", FieldValue(base::FieldVoid{})}}) ==
        "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but current is "
        "'5'");
}

TEST_CASE("a number with a point is written with few digits") {
  const FieldTable number = {{"x-max-length", FieldValue(std::int32_t{5})}};
  const std::pair<double, std::string_view> texts[] = {
      {5, "5.0"},       {-5, "-5.0"},       {100, "100.0"},     {1000, "1.0e3"},
      {12000, "1.2e4"}, {12345, "12345.0"}, {1.5, "1.5"},       {0.001, "0.001"},
      {1e-5, "1.0e-5"}, {1.2e-4, "1.2e-4"}, {1e100, "1.0e100"}, {-1.5e-300, "-1.5e-300"},
      {0, "0.0"},       {-0.0, "-0.0"},     {0.1F, "0.10000000149011612"},
      {123456.789, "123456.789"},           {9007199254740992, "9.007199254740992e15"}};
  for (const auto& [value, text] : texts)
    CHECK(compare(number, {{"x-max-length", FieldValue(value)}})
              .contains("received '" + std::string(text) + "' but"));
}

TEST_CASE("an exclusive queue is its connection's alone") {
  catalog::Queue queue = make_queue();
  queue.durable = false;
  queue.exclusive_owner = {owner, "n@h"};
  QueueDeclaration wanted = declaration();
  wanted.durable = false;
  CHECK(text_of(check_equivalent(queue, wanted, owner)) == locked);
  wanted.exclusive = true;
  CHECK(text_of(check_equivalent(queue, wanted, owner)) == "ok");
  CHECK(text_of(check_equivalent(queue, wanted, stranger)) == locked);
  CHECK(text_of(check_exclusive_access(queue, stranger)) == locked);
  CHECK(check_exclusive_access(queue, owner).has_value());
}

TEST_CASE("known arguments are compared by value, others not at all") {
  FieldTable ttl{{"x-message-ttl", FieldValue(std::int32_t{1000})}};
  const std::string about_ttl = "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': ";
  CHECK(compare({}, ttl) ==
        about_ttl + "received the value '1000' of type 'signedint' but current is none");
  CHECK(compare(ttl, {}) ==
        about_ttl + "received none but current is the value '1000' of type 'signedint'");
  CHECK(compare(ttl, {{"x-message-ttl", FieldValue(std::int32_t{2000})}}) ==
        about_ttl + "received '2000' but current is '1000'");
  CHECK(compare(ttl, {{"x-message-ttl", FieldValue(std::int16_t{1000})}}) == "ok");
  CHECK(compare({{"x-foo", FieldValue("a")}}, {{"x-foo", FieldValue("b")}}) == "ok");
  CHECK(compare(ttl, {{"x-max-length", FieldValue(std::int32_t{-5})}}) ==
        about_ttl + "received none but current is the value '1000' of type 'signedint'");
  CHECK(compare(ttl, {{"x-expires", FieldValue(std::int32_t{0})}}) ==
        "inequivalent arg 'x-expires' for queue 'q' in vhost '/': received the value '0' of type "
        "'signedint' but current is none");
}

TEST_CASE("no queue type means classic") {
  FieldTable classic{{"x-queue-type", FieldValue("classic")}};
  CHECK(compare({}, classic) == "ok");
  CHECK(compare(classic, {}) == "ok");
  CHECK(compare({}, {{"x-queue-type", FieldValue("quorum")}}) ==
        "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' "
        "of type 'longstr' but current is none");
}

TEST_CASE("an exchange's properties are compared in order") {
  catalog::Exchange current = make_exchange(), wanted = make_exchange();
  const std::string is_false = "received 'true' but current is 'false'";
  wanted.arguments = {{"x-foo", FieldValue("ignored")}};
  CHECK(check_equivalent(current, wanted).has_value());
  wanted.arguments = {{"alternate-exchange", FieldValue("amq.fanout")}};
  CHECK(text_of(check_equivalent(current, wanted)) ==
        "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received the value "
        "'amq.fanout' of type 'longstr' but current is none");
  wanted.internal = true;
  CHECK(text_of(check_equivalent(current, wanted)) ==
        "inequivalent arg 'internal' for exchange 'x' in vhost '/': " + is_false);
  wanted.auto_delete = true;
  CHECK(text_of(check_equivalent(current, wanted)) ==
        "inequivalent arg 'auto_delete' for exchange 'x' in vhost '/': " + is_false);
  wanted.durable = true;
  CHECK(text_of(check_equivalent(current, wanted)) ==
        "inequivalent arg 'durable' for exchange 'x' in vhost '/': " + is_false);
  wanted.type = "fanout";
  CHECK(text_of(check_equivalent(current, wanted)) ==
        "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is "
        "'direct'");
}

TEST_CASE("what may be declared, deleted and published to") {
  CHECK(text_of(check_not_default_exchange("")) ==
        "operation not permitted on the default exchange");
  catalog::Exchange exchange = make_exchange();
  CHECK(check_new_exchange(exchange).has_value());
  exchange.arguments = {{"alternate-exchange", FieldValue(true)}};
  CHECK(text_of(check_new_exchange(exchange)) ==
        "invalid type 'bool' for arg 'alternate-exchange' in exchange 'x' in vhost '/'");
  exchange.name.name = "amq.foo";
  CHECK(text_of(check_new_exchange(exchange)) ==
        "exchange name 'amq.foo' contains reserved prefix 'amq.*'");
  CHECK(text_of(check_exchange_deletable({"/", "amq.direct"})) ==
        "deletion of system exchange 'amq.direct' in vhost '/' not allowed");
  CHECK(text_of(check_exchange_deletable({"/", ""})) ==
        "operation not permitted on the default exchange");
  CHECK(check_exchange_deletable({"/", "x"}).has_value());
  exchange.name.name = "xi";
  CHECK(check_publishable(exchange).has_value());
  exchange.internal = true;
  CHECK(text_of(check_publishable(exchange)) ==
        "cannot publish to internal exchange 'xi' in vhost '/'");
  CHECK(no_such_resource(ResourceKind::queue, {"/", "nosuch"}) ==
        base::Error{ErrorCode::not_found, "no queue 'nosuch' in vhost '/'"});
}

TEST_CASE("plugins bring types of exchanges") {
  const ExchangeTypes core, all({"rabbitmq_random_exchange", "rabbitmq_management"});
  CHECK(core.offered().size() == 4);
  CHECK(core.check("topic").has_value());
  CHECK(core.check("foo").error() ==
        base::Error{ErrorCode::invalid_argument, "invalid exchange type 'foo'"});
  CHECK(text_of(core.check("x-random")) == "unknown exchange type 'x-random'");
  CHECK(all.offered().size() == 5);
  CHECK(all.check("x-random").has_value());
  CHECK_FALSE(all.check("x-modulus-hash").has_value());
}

TEST_CASE("a type with more than letters is compared in quotes") {
  CHECK(text_of(check_equivalent(make_exchange("x-random"), make_exchange())) ==
        "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'direct' but current is "
        "''x-random''");
}

TEST_CASE("arguments of consistent-hash exchanges") {
  auto check = [](FieldTable arguments) {
    return text_of(check_new_exchange(make_exchange("x-consistent-hash", std::move(arguments))));
  };
  CHECK(check({}) == "ok");
  CHECK(check({{"hash-header", FieldValue("h")}}) == "ok");
  CHECK(check({{"hash-property", FieldValue("timestamp")}}) == "ok");
  CHECK(check({{"hash-property", FieldValue("colour")}}) == "Unsupported property: colour");
  CHECK(check({{"hash-header", FieldValue("h")}, {"hash-property", FieldValue("colour")}}) ==
        "hash-header and hash-property are mutually exclusive");
  CHECK(check({{"hash-property", FieldValue(true)}}) ==
        "invalid type 'bool' for arg 'hash-property' in exchange 'x' in vhost '/'");
}

TEST_CASE("the length of a recent history is a positive number") {
  auto check = [](FieldValue length) {
    return text_of(check_new_exchange(
        make_exchange("x-recent-history", {{"x-recent-history-length", std::move(length)}})));
  };
  CHECK(check(std::int64_t{3}) == "ok");
  const std::string rest = ", 'x-recent-history-length' must be a positive integer";
  CHECK(check(std::int32_t{0}) == "Invalid argument 0" + rest);
  CHECK(check("two") == "Invalid argument <<\"two\">>" + rest);
  CHECK(check(2.5) == "Invalid argument 2.5" + rest);
  CHECK(check(true) == "Invalid argument true" + rest);
}

TEST_CASE("a key is a weight on consistent-hash exchanges only") {
  auto check = [](const char* type, const char* key) {
    return text_of(check_binding(make_exchange(type), {{"/", "x"}, {}, "q", key, {}}));
  };
  CHECK(check("x-consistent-hash", "+7") == "ok");
  CHECK(check("x-consistent-hash", "0") == "The binding key must be greater than 0");
  CHECK(check("x-consistent-hash", "many") ==
        "The binding key must be an integer: <<\"many\">>");
  CHECK(check("x-random", "many") == "ok");
}

TEST_CASE("x-match is checked for headers exchanges only") {
  auto check = [](FieldValue match, const char* type = "headers") {
    catalog::Binding binding;
    binding.arguments = {{"x-match", std::move(match)}};
    return text_of(check_binding(make_exchange(type), binding));
  };
  for (const char* match : {"all", "any", "all-with-x", "any-with-x"}) CHECK(check(match) == "ok");
  const std::string expected = "; expected all, any, all-with-x, or any-with-x";
  CHECK(check("foo") == "Invalid x-match field value <<\"foo\">>" + expected);
  CHECK(check("\x01\x02") == "Invalid x-match field value <<1,2>>" + expected);
  CHECK(check(std::int32_t{5}) ==
        "Invalid x-match field type signedint (value 5); expected longstr");
  CHECK(check_binding(make_exchange(), {}).has_value());
  CHECK(check("foo", "topic") == "ok");
}

TEST_CASE("an exchange that delays needs another type to route by") {
  auto check = [](FieldTable arguments) {
    return text_of(check_new_exchange(make_exchange("x-delayed-message", std::move(arguments))));
  };
  const std::string missing =
      "Invalid argument, 'x-delayed-type' must be an existing exchange type";
  CHECK(check({{"x-delayed-type", FieldValue("topic")}}) == "ok");
  CHECK(check({}) == missing);
  CHECK(check({{"x-delayed-type", FieldValue(std::int32_t{1})}}) == missing);
  CHECK(check({{"x-delayed-type", FieldValue("x-delayed-message")}}) ==
        "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'");
  CHECK(check({{"x-delayed-type", FieldValue("x-consistent-hash")},
               {"hash-property", FieldValue("colour")}}) == "Unsupported property: colour");
}

TEST_CASE("bindings of an exchange that delays are checked as the type behind it does") {
  const catalog::Exchange delaying =
      make_exchange("x-delayed-message", {{"x-delayed-type", FieldValue("x-consistent-hash")}});
  CHECK(text_of(check_binding(delaying, {{"/", "x"}, {}, "q", "0", {}})) ==
        "The binding key must be greater than 0");
  CHECK(text_of(check_binding(make_exchange(), {{"/", "x"}, {}, "amq.delayed.x", "k", {}})) ==
        "queue 'amq.delayed.x' in vhost '/' holds the delayed messages of an exchange");
}
