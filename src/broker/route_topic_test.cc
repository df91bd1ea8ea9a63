#include "broker/route_topic.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <string>

#include "base/random.h"

using namespace warren;
using namespace warren::broker;

namespace {

std::vector<std::string> words_of(const std::string& key) {
  if (key.empty()) return {};
  std::vector<std::string> words(1);
  for (char c : key) {
    if (c == '.')
      words.emplace_back();
    else
      words.back() += c;
  }
  return words;
}

using Words = std::span<const std::string>;

/// The definition itself, tried in every way.
bool fits(Words pattern, Words key) {
  if (pattern.empty()) return key.empty();
  Words rest = pattern.subspan(1);
  if (pattern[0] == "#") {
    for (std::size_t skipped = 0; skipped <= key.size(); ++skipped)
      if (fits(rest, key.subspan(skipped))) return true;
    return false;
  }
  if (key.empty() || (pattern[0] != "*" && pattern[0] != key[0])) return false;
  return fits(rest, key.subspan(1));
}

bool fits(const std::string& pattern, const std::string& key) {
  TopicTable table;
  table.add(pattern, 5);
  std::vector<TargetNumber> out;
  table.match(key, out);
  return out == std::vector<TargetNumber>{5};
}

std::string random_key(base::Random& random, std::span<const char* const> words) {
  std::string key;
  for (std::uint64_t left = random.below(6); left > 0; --left) {
    key += words[random.below(words.size())];
    if (left > 1) key += '.';
  }
  return key;
}

}  // namespace

TEST_CASE("binding keys and routing keys") {
  struct Row {
    const char* pattern;
    const char* key;
    bool does_fit;
  };
  for (auto [pattern, key, does_fit] : std::initializer_list<Row>{
           {"", "", true},          {"#", "", true},         {"*", "", false},
           {"", "a", false},        {"a", "a", true},        {"a", "b", false},
           {"a", "a.b", false},     {"*", "a", true},        {"*", "a.b", false},
           {"a.*", "a.b", true},    {"a.*", "a", false},     {"a.#", "a", true},
           {"a.#", "a.b.c", true},  {"#.a", "a", true},      {"#.a", "b.a.a", true},
           {"#.a", "a.b", false},   {"#.#", "", true},       {"#.*", "", false},
           {"#.*", "a", true},      {"a.*.b", "a..b", true}, {"a..b", "a..b", true},
           {"*.*", ".", true},      {"*", ".", false},       {"#", ".", true},
           {".", "", false},        {"a.#.b", "a.b", true},  {"a.#.b", "a.x.y.b", true},
           {"a.#.b", "a.x", false}, {"*.#.*", "a", false},   {"*.#.*", "a.b", true},
           {"a*", "ab", false},     {"a*", "a*", true},      {"a.b", "a.*", false},
           {"#.b.#", "a.b.c", true}}) {
    CAPTURE(pattern);
    CAPTURE(key);
    CHECK(fits(pattern, key) == does_fit);
  }
}

TEST_CASE("the trie agrees with the definition on random keys") {
  static constexpr const char* pattern_words[] = {"a", "b", "", "*", "#", "*", "#", "c"};
  static constexpr const char* key_words[] = {"a", "b", "", "c", "d"};
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    base::Random random(seed);
    TopicTable table;
    std::vector<std::string> patterns;
    for (TargetNumber number = 0; number < 40; ++number) {
      patterns.push_back(random_key(random, pattern_words));
      table.add(patterns.back(), number);
    }
    for (int round = 0; round < 100; ++round) {
      std::string key = random_key(random, key_words);
      std::vector<std::string> words = words_of(key);
      std::vector<TargetNumber> expected, out;
      for (TargetNumber number = 0; number < patterns.size(); ++number)
        if (fits(Words(words_of(patterns[number])), Words(words))) expected.push_back(number);
      table.match(key, out);
      std::ranges::sort(out);
      CAPTURE(key);
      REQUIRE(out == expected);
    }
  }
}

TEST_CASE("a binding key made to be slow is not") {
  TopicTable table;
  std::string pattern = "#", key = "a";
  for (int i = 0; i < 60; ++i) pattern += ".*.#";
  for (int i = 0; i < 126; ++i) key += ".a";
  table.add(pattern, 1);
  table.add(pattern + ".b", 2);
  std::vector<TargetNumber> out;
  for (int round = 0; round < 100; ++round) table.match(key, out);
  CHECK(out.size() == 100);
}

TEST_CASE("bindings that come and go leave what is there, and nothing else") {
  static constexpr const char* words[] = {"a", "b", "", "*", "#", "c"};
  static constexpr const char* key_words[] = {"a", "b", "", "c", "d"};
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    base::Random random(seed);
    TopicTable table;
    std::vector<std::pair<std::string, TargetNumber>> there;
    for (int step = 0; step < 400; ++step) {
      if (there.empty() || random.chance(step < 300 ? 60 : 0)) {
        there.emplace_back(random_key(random, words), random.below(5));
        table.add(there.back().first, there.back().second);
      } else {
        std::swap(there[random.below(there.size())], there.back());
        table.remove(there.back().first, there.back().second);
        there.pop_back();
      }
      std::string key = random_key(random, key_words);
      std::vector<std::string> in_key = words_of(key);
      std::vector<TargetNumber> expected, out;
      for (const auto& [pattern, target] : there)
        if (fits(Words(words_of(pattern)), Words(in_key))) expected.push_back(target);
      table.match(key, out);
      std::ranges::sort(out);
      std::ranges::sort(expected);
      CAPTURE(key);
      REQUIRE(out == expected);
    }
    for (const auto& [pattern, target] : there) table.remove(pattern, target);
    CHECK(table.node_count() == 1);
  }
}
