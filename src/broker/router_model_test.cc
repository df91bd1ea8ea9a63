#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "broker/test_catalog.h"
#include "broker/route_headers.h"
#include "broker/route_topic.h"
#include "broker/router.h"

using namespace warren;
using namespace warren::broker;
using base::FieldTable;

namespace {

/// What the catalog says, looked up anew each time.
struct Definition {
  const catalog::Catalog& catalog;
  std::string_view key;
  const FieldTable* headers;
  std::set<std::string> visited{};
  std::set<catalog::QueueId> reached{};

  bool fits(const catalog::Exchange& exchange, const catalog::Binding& binding) const {
    std::vector<TargetNumber> out;
    if (exchange.type == "fanout") return true;
    if (exchange.type == "direct") return binding.routing_key == key;
    if (exchange.type == "topic") {
      TopicTable table;
      table.add(binding.routing_key, 0);
      table.match(key, out);
    } else {
      HeadersTable table;
      table.add(binding.arguments, 0);
      table.match(headers, out);
    }
    return !out.empty();
  }

  std::string alternate_of(const catalog::Exchange& exchange) const {
    if (const auto* value = exchange.arguments.find("alternate-exchange"))
      return *value->as<std::string>();
    const auto* definition = catalog.find_policy_definition({"/", exchange.policy});
    return definition ? definition->alternate_exchange.value_or("") : "";
  }

  void visit(const std::string& name) {
    if (!visited.insert(name).second) return;
    const catalog::Exchange* exchange = catalog.find_exchange({"/", name});
    if (!exchange) return;
    bool is_taken = false;
    for (const catalog::Binding& binding : catalog.bindings_from(exchange->name)) {
      if (!fits(*exchange, binding)) continue;
      is_taken = true;
      if (binding.destination_kind == catalog::DestinationKind::exchange)
        visit(binding.destination);
      else
        reached.insert(catalog.find_queue({"/", binding.destination})->id);
    }
    std::string alternate = alternate_of(*exchange);
    if (!is_taken && !alternate.empty()) visit(alternate);
  }
};

/// Changes at random, some of which the catalog refuses.
struct Life : CatalogFixture {
  explicit Life(std::uint64_t seed, bool with_spreading = false)
      : random(seed), spreads(with_spreading) {}

  base::Random random;
  bool spreads;
  Router router{catalog};

  std::string exchange_name() { return "x" + std::to_string(random.below(5)); }
  std::string queue_name() { return "q" + std::to_string(random.below(6)); }
  std::string key() {
    static constexpr const char* keys[] = {"a", "a.b", "b.a", "*", "#", "a.*", "#.b", "", "1", "7"};
    return keys[random.below(spreads ? 10 : 8)];
  }
  void attempt(const catalog::Command& command) {
    std::vector<catalog::Change> changes;
    static_cast<void>(catalog.apply(command, changes));
  }
  FieldTable table() {
    FieldTable table;
    if (random.chance(70)) table.add("h", static_cast<std::int32_t>(random.below(2)));
    if (random.chance(30)) table.add("x-match", "any");
    return table;
  }
  catalog::Binding any_binding() {
    std::string to = random.chance(30) ? "->" + exchange_name() : queue_name();
    return binding(exchange_name(), to, key(), table());
  }

  catalog::Binding stored_binding() {
    auto from = catalog.bindings_from({"/", exchange_name()});
    if (from.empty()) return any_binding();
    return *std::next(from.begin(), static_cast<std::ptrdiff_t>(random.below(from.size())));
  }

  void declare_exchange() {
    static constexpr const char* types[] = {"direct", "fanout", "topic", "headers", "topic",
                                            "x-consistent-hash", "x-modulus-hash"};
    catalog::Exchange exchange;
    exchange.name = {"/", exchange_name()};
    exchange.type = types[random.below(spreads ? 7 : 5)];
    exchange.auto_delete = random.chance(20);
    if (random.chance(30)) exchange.arguments.add("alternate-exchange", exchange_name());
    attempt(catalog::DeclareExchange{exchange});
  }
  void declare_queue() {
    catalog::Queue queue;
    queue.name = {"/", queue_name()};
    queue.leader = "n@h";
    attempt(catalog::DeclareQueue{queue});
  }
  void change_policy() {
    catalog::Policy policy;
    policy.name = {"/", "p" + std::to_string(random.below(2))};
    if (random.chance(30)) return attempt(catalog::ClearPolicy{policy.name});
    policy.pattern = "^x[" + std::to_string(random.below(5)) + "-4]";
    policy.definition = R"({"alternate-exchange":")" + exchange_name() + "\"}";
    attempt(catalog::SetPolicy{policy});
  }

  void act() {
    std::uint64_t dice = random.below(100);
    if (dice < 12) return declare_exchange();
    if (dice < 26) return declare_queue();
    if (dice < 66) return attempt(catalog::AddBinding{any_binding()});
    if (dice < 80) return attempt(catalog::RemoveBinding{stored_binding()});
    if (dice < 86) return attempt(catalog::DeleteExchange{{"/", exchange_name()}});
    if (dice < 92) {
      const catalog::Queue* queue = catalog.find_queue({"/", queue_name()});
      return queue ? attempt(catalog::DeleteQueue{queue->id}) : declare_queue();
    }
    if (dice < 98) return change_policy();
    if (dice < 99) return static_cast<void>(catalog.restore(catalog.snapshot()));
    attempt(catalog::DeleteVhost{"/"});
    attempt(catalog::PutVhost{{.name = "/", .description = "", .tags = {}}});
  }

  void check() {
    FieldTable headers = table();
    std::string name = random.chance(90) ? exchange_name() : "";
    std::string routing_key = name.empty() ? queue_name() : key();
    std::vector<catalog::QueueId> routed, expected;
    router.route({"/", name}, routing_key, &headers, routed);
    if (spreads) {
      // What was compiled binding by binding is as good as what is compiled at once.
      Router(catalog).route({"/", name}, routing_key, &headers, expected);
    } else if (name.empty()) {
      if (const auto* queue = catalog.find_queue({"/", routing_key})) expected = {queue->id};
    } else {
      Definition definition{catalog, routing_key, &headers};
      definition.visit(name);
      expected.assign(definition.reached.begin(), definition.reached.end());
    }
    CAPTURE(name);
    CAPTURE(routing_key);
    REQUIRE(routed == expected);
  }
};

}  // namespace

TEST_CASE("routes that spread messages depend on nothing but the catalog") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Life life(seed, true);
    for (int step = 0; step < 300; ++step) {
      life.act();
      for (int i = 0; i < 3; ++i) life.check();
    }
  }
}

TEST_CASE("routes follow every change of the catalog") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Life life(seed);
    for (int step = 0; step < 600; ++step) {
      life.act();
      for (int i = 0; i < 3; ++i) life.check();
    }
  }
}
