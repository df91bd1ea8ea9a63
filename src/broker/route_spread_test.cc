#include "broker/route_spread.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>

#include "base/random.h"

using namespace warren;
using namespace warren::broker;
using base::FieldTable;
using base::FieldValue;

namespace {

catalog::Binding to_queue(const std::string& name) {
  return {{"/", "x"}, catalog::DestinationKind::queue, name, "", {}};
}

/// Where 20,000 hashes go, in order.
std::vector<TargetNumber> spread(SpreadTable& table) {
  base::Random random(5);
  std::vector<TargetNumber> all;
  for (int i = 0; i < 20000; ++i) all.push_back(table.closest(random.next()).value());
  return all;
}

std::map<TargetNumber, int> shares(SpreadTable& table) {
  std::map<TargetNumber, int> counts;
  for (TargetNumber target : spread(table)) ++counts[target];
  return counts;
}

std::uint64_t hash_of(const HashSource& source, std::string_view key,
                      const RoutedContent& content = {}) {
  return source.hash({std::span(&key, 1), content});
}

}  // namespace

TEST_CASE("a weight is a whole number with or without a sign") {
  CHECK(parse_weight("1") == 1);
  CHECK(parse_weight("+010") == 10);
  CHECK(parse_weight("-3") == -3);
  CHECK(parse_weight("99999999999999999999") == INT32_MAX);
  for (const char* text : {"", "+", " 1", "1 ", "1.5", "heavy", "--1"})
    CHECK_FALSE(parse_weight(text).has_value());
}

TEST_CASE("equal weights have equal shares") {
  SpreadTable table;
  CHECK_FALSE(table.closest(1).has_value());
  for (TargetNumber target = 0; target < 10; ++target)
    table.add(to_queue("q" + std::to_string(target)), target, 3);
  for (auto [target, count] : shares(table)) CHECK(std::abs(count - 2000) < 200);
}

TEST_CASE("shares are in proportion to the weights") {
  SpreadTable table;
  table.add(to_queue("a"), 0, 1);
  table.add(to_queue("b"), 1, 2);
  table.add(to_queue("c"), 2, 6);
  table.add(to_queue("c"), 2, 1);
  auto counts = shares(table);
  CHECK(std::abs(counts[0] - 2000) < 200);
  CHECK(std::abs(counts[1] - 4000) < 200);
  CHECK(std::abs(counts[2] - 14000) < 200);
}

TEST_CASE("who comes or goes moves only its own share") {
  for (std::int32_t weight : {1, 4}) {
    SpreadTable table;
    for (TargetNumber target = 0; target < 5; ++target)
      table.add(to_queue("q" + std::to_string(target)), target, 1);
    const auto before = spread(table);
    table.add(to_queue("late"), 5, weight);
    const auto with = spread(table);
    for (std::size_t i = 0; i < before.size(); ++i)
      REQUIRE((with[i] == before[i] || with[i] == 5));
    table.remove(2, 1);
    const auto without = spread(table);
    for (std::size_t i = 0; i < before.size(); ++i)
      REQUIRE((without[i] == with[i] || with[i] == 2));
    table.remove(5, weight);
    table.add(to_queue("q2"), 2, 1);
    CHECK(spread(table) == before);
  }
}

TEST_CASE("the order of the bindings does not matter") {
  SpreadTable one, other;
  one.add(to_queue("a"), 0, 2);
  one.add(to_queue("b"), 1, 1);
  other.add(to_queue("gone"), 2, 5);
  other.add(to_queue("b"), 1, 1);
  other.add(to_queue("a"), 0, 2);
  other.remove(2, 5);
  CHECK(spread(one) == spread(other));
  for (std::uint64_t place = 0; place < 7; ++place) CHECK(one.at(place) == other.at(place));
}

TEST_CASE("an exchange and a queue of one name are two targets") {
  SpreadTable table;
  catalog::Binding to_exchange = to_queue("a");
  to_exchange.destination_kind = catalog::DestinationKind::exchange;
  table.add(to_queue("a"), 0, 1);
  table.add(to_exchange, 1, 1);
  CHECK(shares(table).size() == 2);
}

TEST_CASE("places are in the order of the names, each as often as its weight") {
  SpreadTable table;
  CHECK_FALSE(table.at(0).has_value());
  table.add(to_queue("b"), 0, 2);
  table.add(to_queue("a"), 1, 1);
  const TargetNumber expected[] = {1, 0, 0, 1, 0, 0};
  for (std::uint64_t place = 0; place < 6; ++place) CHECK(table.at(place) == expected[place]);
  table.remove(0, 1);
  CHECK(table.at(1) == 0);
  CHECK(table.at(2) == 1);
}

TEST_CASE("hashes go by the key, or by what the arguments name") {
  const HashSource by_key, by_header(FieldTable{{"hash-header", FieldValue("h")}});
  const HashSource by_id(FieldTable{{"hash-property", FieldValue("message_id")}});
  const HashSource by_correlation(FieldTable{{"hash-property", FieldValue("correlation_id")}});
  const HashSource by_time(FieldTable{{"hash-property", FieldValue("timestamp")}});
  CHECK(by_key.is_routing_key());
  CHECK(hash_of(by_key, "a") == hash_of(by_key, "a"));
  CHECK(hash_of(by_key, "a") != hash_of(by_key, "b"));
  const std::string_view keys[] = {"a", "b"};
  CHECK(by_key.hash({keys, {}}) != hash_of(by_key, "a"));

  const FieldTable one{{"h", FieldValue("one")}}, two{{"h", FieldValue(std::int32_t{2})}};
  CHECK_FALSE(by_header.is_routing_key());
  CHECK(hash_of(by_header, "a", &one) == hash_of(by_header, "b", &one));
  CHECK(hash_of(by_header, "a", &one) != hash_of(by_header, "a", &two));
  CHECK(hash_of(by_header, "a") == hash_of(by_header, "b"));

  RoutedContent content;
  content.message_id = "m";
  content.correlation_id = "c";
  content.timestamp = 17;
  for (const HashSource* source : {&by_id, &by_correlation, &by_time}) {
    CHECK(hash_of(*source, "a", content) == hash_of(*source, "b", content));
    CHECK(hash_of(*source, "a", content) != hash_of(*source, "a"));
  }
}
