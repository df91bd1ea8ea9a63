#include "catalog/bindings.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "base/random.h"
#include "catalog/fixture.h"

using namespace warren;
using namespace warren::catalog;

namespace {

Binding random_binding(base::Random& random) {
  Binding binding;
  binding.source = {"v", "x" + std::to_string(random.below(3))};
  binding.destination_kind =
      random.chance(80) ? DestinationKind::queue : DestinationKind::exchange;
  binding.destination = "x" + std::to_string(random.below(4));
  binding.routing_key = "k" + std::to_string(random.below(4));
  if (random.chance(20)) binding.arguments.add("a", static_cast<std::int32_t>(random.below(2)));
  return binding;
}

std::vector<Binding> listed(Bindings::Range range) { return {range.begin(), range.end()}; }

/// All bindings in the order of their making.
struct Model {
  std::vector<Binding> all;

  template <typename Wanted>
  std::vector<Binding> pick(Wanted wanted) const {
    std::vector<Binding> picked;
    std::ranges::copy_if(all, std::back_inserter(picked), wanted);
    return picked;
  }
  std::vector<Binding> from(const ResourceName& source) const {
    return pick([&](const Binding& b) { return b.source == source; });
  }
  std::vector<Binding> to(DestinationKind kind, const std::string& name) const {
    auto picked = pick([&](const Binding& b) {
      return b.destination_kind == kind && b.destination == name;
    });
    std::ranges::stable_sort(picked, {}, &Binding::source);
    return picked;
  }
};

void check_equal(const Bindings& bindings, const Model& model) {
  REQUIRE(bindings.count() == model.all.size());
  for (int i = 0; i < 4; ++i) {
    std::string name = "x" + std::to_string(i);
    REQUIRE(listed(bindings.from({"v", name})) == model.from({"v", name}));
    REQUIRE(bindings.from({"v", name}).size() == model.from({"v", name}).size());
    for (DestinationKind kind : {DestinationKind::queue, DestinationKind::exchange})
      REQUIRE(bindings.to(kind, {"v", name}) == model.to(kind, name));
  }
}

}  // namespace

TEST_CASE("bindings are found from both ends, in order, whatever comes and goes") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    base::Random random(seed);
    Bindings bindings;
    Model model;
    for (int step = 0; step < 300; ++step) {
      Binding binding = random_binding(random);
      bool is_there = std::ranges::find(model.all, binding) != model.all.end();
      REQUIRE(bindings.contains(binding) == is_there);
      std::uint64_t dice = random.below(100);
      if (dice < 60) {
        REQUIRE(bindings.add(binding) != is_there);
        if (!is_there) model.all.push_back(binding);
      } else if (dice < 90) {
        REQUIRE(bindings.remove(binding) == is_there);
        std::erase(model.all, binding);
      } else if (dice < 95) {
        bindings.remove_from(binding.source);
        std::erase_if(model.all, [&](auto& b) { return b.source == binding.source; });
      } else {
        auto taken =
            bindings.take_to(binding.destination_kind, {"v", binding.destination});
        REQUIRE(taken == model.to(binding.destination_kind, binding.destination));
        std::erase_if(model.all, [&](auto& b) { return std::ranges::count(taken, b) > 0; });
      }
      check_equal(bindings, model);
    }
    Bindings copy = bindings;
    bindings.remove_from({"v", "x0"});
    check_equal(copy, model);
  }
}

TEST_CASE("a binding argument that is not equal to itself is one binding all the same") {
  Bindings bindings;
  Binding binding{{"v", "x"}, DestinationKind::queue, "q", "k", {}};
  binding.arguments = {{"nan", std::numeric_limits<double>::quiet_NaN()}};
  CHECK(bindings.add(binding));
  CHECK_FALSE(bindings.add(binding));
  CHECK(bindings.remove(binding));
  CHECK(bindings.count() == 0);
}

namespace {

/// Counts what it hears.
struct Counter final : RouteListener {
  int bound = 0, unbound = 0, queues = 0, exchanges = 0, policies = 0, all = 0;
  void on_bound(const Binding&) override { ++bound; }
  void on_unbound(const Binding&) override { ++unbound; }
  void on_queue(const ResourceName&) override { ++queues; }
  void on_exchange(const ResourceName&) override { ++exchanges; }
  void on_exchange_policy(const ResourceName&) override { ++policies; }
  void on_all_routes() override { ++all; }
};

}  // namespace

TEST_CASE("listeners hear of what changed, and of nothing else") {
  Fixture f;
  Counter heard;
  f.catalog.route_listeners().add(heard);
  f.add_running({"a"});
  f.declare("q1", "a");
  QueueId q2 = f.declare("q2", "a");
  CHECK(heard.queues == 2);
  Exchange exchange;
  exchange.name = f.name("x");
  exchange.type = "topic";
  f.must(DeclareExchange{exchange});
  CHECK(heard.exchanges == 1);
  for (int i = 0; i < 100; ++i)
    for (const char* queue : {"q1", "q2"})
      f.must(AddBinding{f.binding("x", DestinationKind::queue, queue, std::to_string(i))});
  f.must(AddBinding{f.binding("x", DestinationKind::queue, "q1", "1")});
  CHECK(heard.bound == 200);
  f.must(RemoveBinding{f.binding("x", DestinationKind::queue, "q2", "5")});
  f.must(DeleteQueue{q2});
  CHECK(heard.unbound == 100);
  CHECK(heard.queues == 3);
  // An exchange is one event, however many bindings go with it.
  f.must(DeleteExchange{exchange.name});
  CHECK(heard.exchanges == 2);
  CHECK(heard.unbound == 100);
  f.must(AddUser{User{.name = "u", .password_hash = "", .tags = {}}});
  CHECK(heard.policies == 0);
  CHECK(heard.all == 0);
  REQUIRE(f.catalog.restore(f.catalog.snapshot()).has_value());
  CHECK(heard.all == 1);
  f.catalog.route_listeners().remove(heard);
  f.declare("q2", "a");
  CHECK(heard.queues == 3);
}
