#include "base/ring.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "base/random.h"

using warren::base::Random;
using warren::base::Ring;

TEST_CASE("a ring does what a deque does") {
  Random random(7);
  Ring<std::uint64_t> ring;
  std::deque<std::uint64_t> model;
  for (int i = 0; i < 20'000; ++i) {
    bool is_growing = i % 4000 < 2000;
    std::uint64_t dice = random.below(is_growing ? 14 : 22);
    std::size_t at = model.empty() ? 0 : random.below(model.size());
    if (dice < 8) {
      model.push_back(random.next());
      ring.push_back(model.back());
    } else if (dice == 8) {
      model.insert(model.begin() + static_cast<std::ptrdiff_t>(at), 5);
      ring.insert(ring.begin() + static_cast<std::ptrdiff_t>(at), 5);
    } else if (model.empty()) {
      REQUIRE(ring.empty());
    } else if (dice == 9) {
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
      ring.erase(ring.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (dice == 10) {
      model.pop_back();
      ring.pop_back();
    } else if (dice == 11) {
      model.push_front(random.next());
      ring.push_front(model.front());
    } else if (dice == 12) {
      auto is_rare = [](std::uint64_t value) { return value % 97 == 5; };
      REQUIRE(erase_if(ring, is_rare) == std::erase_if(model, is_rare));
    } else {
      model.pop_front();
      ring.pop_front();
    }
    REQUIRE(ring.size() == model.size());
    if (i % 50 == 0) REQUIRE(std::ranges::equal(ring, model));
  }
}

TEST_CASE("a small ring keeps its block while it is needed now and then") {
  Ring<int> ring;
  std::size_t capacity = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 1000; ++i) ring.push_back(i);
    if (round == 0) capacity = ring.capacity();
    CHECK(ring.capacity() == capacity);
    while (!ring.empty()) ring.pop_front();
    CHECK(ring.capacity() == capacity);
  }
  for (int i = 0; i < 10'000; ++i) {
    ring.push_back(i);
    ring.pop_front();
  }
  CHECK(ring.capacity() < capacity);
}

TEST_CASE("a ring of steady length keeps its block, and a large one gives it back") {
  Ring<int> ring;
  for (int i = 0; i < 100; ++i) ring.push_back(i);
  std::size_t capacity = ring.capacity();
  for (int i = 100; i < 10'000; ++i) {
    ring.push_back(i);
    ring.pop_front();
  }
  CHECK(ring.capacity() == capacity);
  for (int i = 0; i < 100'000; ++i) ring.push_back(i);
  while (ring.size() > 3) ring.pop_front();
  CHECK(ring.capacity() * sizeof(int) <= 256 * 1024);
  auto place = std::ranges::lower_bound(ring, 99'999);
  CHECK(*place == 99'999);
  CHECK(place - ring.begin() == 2);
}

TEST_CASE("what is popped is let go at once") {
  Ring<std::shared_ptr<int>> ring;
  auto value = std::make_shared<int>(1);
  ring.push_back(value);
  ring.push_back(value);
  ring.pop_front();
  CHECK(value.use_count() == 2);
  ring.pop_back();
  CHECK(value.use_count() == 1);
}

TEST_CASE("a ring with room reserved keeps what it holds and grows no more on the way") {
  Ring<std::uint64_t> ring;
  for (std::uint64_t value = 0; value < 6; ++value) ring.push_back(value);
  ring.pop_front();
  ring.push_back(6);
  ring.reserve(100);
  std::size_t capacity = ring.capacity();
  CHECK(capacity == 128);
  for (std::uint64_t value = 7; value <= 100; ++value) ring.push_back(value);
  ring.reserve(1);
  CHECK(ring.capacity() == capacity);
  REQUIRE(ring.size() == 100);
  for (std::size_t i = 0; i < ring.size(); ++i) CHECK(ring[i] == i + 1);
}
