#include "broker/death.h"

#include <doctest/doctest.h>

using namespace warren;
using namespace warren::broker;

namespace {

Death death_in(const std::string& queue, DeathReason reason = DeathReason::rejected) {
  return {.queue = queue,
          .reason = reason,
          .exchange = "x",
          .routing_keys = {"key", "copy"},
          .time_s = 1'700'000'000,
          .original_expiration = {}};
}

/// The deaths as "queue reason count", the latest first.
std::vector<std::string> told_by(const base::FieldTable& headers) {
  std::vector<std::string> told;
  const base::FieldValue* value = headers.find("x-death");
  if (!value || !value->as<base::FieldArray>()) return told;
  for (const base::FieldValue& item : *value->as<base::FieldArray>()) {
    const auto& entry = *item.as<base::FieldTable>();
    told.push_back(*entry.find("queue")->as<std::string>() + " " +
                   *entry.find("reason")->as<std::string>() + " " +
                   std::to_string(entry.find("count")->to_integer()));
  }
  return told;
}

std::vector<std::string> names_in(const base::FieldTable& table) {
  std::vector<std::string> names;
  for (const auto& [name, value] : table) names.push_back(name);
  return names;
}

base::FieldTable claim(const std::string& queue, const std::string& reason) {
  return {{"queue", queue}, {"reason", reason}};
}

using Told = std::vector<std::string>;

}  // namespace

TEST_CASE("a first death stands in headers of its own too") {
  base::FieldTable headers{{"zebra", std::int32_t{1}}, {"apple", std::int32_t{2}}};
  Death death = death_in("q", DeathReason::expired);
  death.original_expiration = "60000";
  note_death(headers, death);
  CHECK(names_in(headers) == Told{"apple", "x-death", "x-first-death-exchange",
                                  "x-first-death-queue", "x-first-death-reason", "zebra"});
  base::FieldTable entry{{"count", std::int64_t{1}},
                         {"reason", "expired"},
                         {"queue", "q"},
                         {"time", base::FieldTimestamp{1'700'000'000}},
                         {"exchange", "x"},
                         {"routing-keys", base::FieldArray{"key", "copy"}},
                         {"original-expiration", "60000"}};
  CHECK(*headers.find("x-death") == base::FieldValue(base::FieldArray{entry}));
  CHECK(*headers.find("x-first-death-reason") == base::FieldValue("expired"));
  CHECK(*headers.find("x-first-death-queue") == base::FieldValue("q"));
  CHECK(*headers.find("x-first-death-exchange") == base::FieldValue("x"));
}

TEST_CASE("deaths of one kind are counted, and the latest stands in front") {
  base::FieldTable headers;
  note_death(headers, death_in("one"));
  note_death(headers, death_in("two", DeathReason::expired));
  CHECK(told_by(headers) == Told{"two expired 1", "one rejected 1"});
  note_death(headers, death_in("one"));
  CHECK(told_by(headers) == Told{"one rejected 2", "two expired 1"});
  note_death(headers, death_in("one", DeathReason::maxlen));
  CHECK(told_by(headers) == Told{"one maxlen 1", "two expired 1", "one rejected 2"});
  CHECK(*headers.find("x-first-death-reason") == base::FieldValue("rejected"));
}

TEST_CASE("a repeated death keeps the time and the keys of the first") {
  base::FieldTable headers;
  note_death(headers, death_in("q"));
  Death again = death_in("q");
  again.time_s = 1'800'000'000;
  again.routing_keys = {"other"};
  note_death(headers, again);
  const auto& deaths = *headers.find("x-death")->as<base::FieldArray>();
  const auto& entry = *deaths.front().as<base::FieldTable>();
  CHECK(*entry.find("time") == base::FieldValue(base::FieldTimestamp{1'700'000'000}));
  CHECK(*entry.find("routing-keys") == base::FieldValue(base::FieldArray{"key", "copy"}));
  CHECK(names_in(entry) == Told{"count", "exchange", "queue", "reason", "routing-keys", "time"});
}

TEST_CASE("what a publisher wrote as x-death is taken for what it says") {
  base::FieldTable headers{
      {"x-death", base::FieldArray{claim("q", "rejected"), claim("p", "expired"), "nonsense",
                                   claim("q", "rejected"), std::int32_t{7}}}};
  note_death(headers, death_in("q"));
  CHECK(told_by(headers) == Told{"q rejected 3", "p expired 1"});
  CHECK(headers.find("x-first-death-queue") == nullptr);

  headers = {{"x-death", "nonsense"}};
  note_death(headers, death_in("q"));
  CHECK(told_by(headers) == Told{"q rejected 1"});
  CHECK(headers.find("x-first-death-queue") == nullptr);

  headers = {{"x-death", base::FieldArray{base::FieldTable{{"count", "five"}, {"queue", "q"},
                                                           {"reason", "rejected"}}}}};
  note_death(headers, death_in("q"));
  CHECK(told_by(headers) == Told{"q rejected 1"});
}

TEST_CASE("a circle without a reject since the last time there ends") {
  base::FieldTable headers;
  note_death(headers, death_in("one", DeathReason::expired));
  CHECK(is_dead_letter_cycle(headers, "one"));
  CHECK_FALSE(is_dead_letter_cycle(headers, "two"));
  note_death(headers, death_in("two", DeathReason::maxlen));
  CHECK(is_dead_letter_cycle(headers, "one"));
  CHECK(is_dead_letter_cycle(headers, "two"));
}

TEST_CASE("a reject on the way makes a circle go on") {
  base::FieldTable headers;
  note_death(headers, death_in("one"));
  CHECK_FALSE(is_dead_letter_cycle(headers, "one"));
  note_death(headers, death_in("wait", DeathReason::expired));
  CHECK_FALSE(is_dead_letter_cycle(headers, "one"));
  CHECK(is_dead_letter_cycle(headers, "wait"));
  CHECK_FALSE(is_dead_letter_cycle({}, "one"));
  CHECK_FALSE(is_dead_letter_cycle({{"x-death", "nonsense"}}, "one"));
}
