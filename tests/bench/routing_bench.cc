// From an exchange and a key to queues.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/random.h"
#include "broker/router.h"

namespace {

using namespace warren;

/// A catalog with a node, a vhost and what a case adds.
struct Topology {
  catalog::Catalog catalog;

  Topology() {
    apply(catalog::AddNode{"n@h", catalog::NodeKind::disc, "uuid"});
    apply(catalog::NodeUp{"n@h", {1}});
    apply(catalog::PutVhost{{.name = "/", .description = "", .tags = {}}});
  }
  void apply(const catalog::Command& command) {
    std::vector<catalog::Change> changes;
    if (!catalog.apply(command, changes)) std::abort();
  }
  void queue(const std::string& name) {
    catalog::Queue queue;
    queue.name = {"/", name};
    queue.leader = "n@h";
    apply(catalog::DeclareQueue{queue});
  }
  void bind(const std::string& exchange, const std::string& queue, const std::string& key) {
    catalog::Binding binding;
    binding.source = {"/", exchange};
    binding.destination_kind = catalog::DestinationKind::queue;
    binding.destination = queue;
    binding.routing_key = key;
    apply(catalog::AddBinding{binding});
  }
};

void route(benchmark::State& state, const Topology& topology, const std::string& exchange,
           const std::vector<std::string>& keys) {
  broker::Router router(topology.catalog);
  const catalog::ResourceName name{"/", exchange};
  std::vector<catalog::QueueId> found;
  std::size_t next = 0;
  // The first answer compiles the bindings, which is not what is measured.
  router.route(name, keys[0], nullptr, found);
  for (auto _ : state) {
    found.clear();
    router.route(name, keys[next], nullptr, found);
    next = next + 1 == keys.size() ? 0 : next + 1;
    benchmark::DoNotOptimize(found.data());
  }
  if (found.empty()) state.SkipWithError("nothing was found");
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

/// Made once for each kind and size, as a case runs several times.
const Topology& bound_topology(const std::string& exchange, const std::string& front,
                               std::int64_t count, const std::string& back) {
  static std::map<std::tuple<std::string, std::string, std::int64_t>, Topology> made;
  const auto [place, is_new] = made.try_emplace({exchange, front, count});
  Topology& topology = place->second;
  if (!is_new) return topology;
  topology.queue("perf");
  for (std::int64_t i = 0; i < count; ++i)
    topology.bind(exchange, "perf", front + std::to_string(i) + back);
  return topology;
}

void route_default(benchmark::State& state) {
  Topology topology;
  topology.queue("perf");
  route(state, topology, "", {"perf"});
}
BENCHMARK(route_default);

void route_fanout(benchmark::State& state) {
  Topology topology;
  for (int i = 0; i < state.range(0); ++i) {
    topology.queue("perf-" + std::to_string(i));
    topology.bind("amq.fanout", "perf-" + std::to_string(i), "");
  }
  route(state, topology, "amq.fanout", {""});
}
BENCHMARK(route_fanout)->Arg(1)->Arg(10)->Arg(100);

/// Keys in an order that no cache foresees.
std::vector<std::string> shuffled_keys(const std::string& front, std::int64_t count,
                                       const std::string& back) {
  std::vector<std::string> keys;
  for (std::int64_t i = 0; i < count; ++i) keys.push_back(front + std::to_string(i) + back);
  base::Random random(1);
  for (std::size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[random.below(i)]);
  return keys;
}

void route_direct(benchmark::State& state) {
  route(state, bound_topology("amq.direct", "key.", state.range(0), ""), "amq.direct",
        shuffled_keys("key.", state.range(0), ""));
}
BENCHMARK(route_direct)->Arg(1)->Arg(1000)->Arg(100000);

void route_topic_exact(benchmark::State& state) {
  route(state, bound_topology("amq.topic", "key.", state.range(0), ""), "amq.topic",
        shuffled_keys("key.", state.range(0), ""));
}
BENCHMARK(route_topic_exact)->Arg(1000)->Arg(100000);

void route_topic_wild(benchmark::State& state) {
  route(state, bound_topology("amq.topic", "a.*.", state.range(0), ".#"), "amq.topic",
        shuffled_keys("a.b.", state.range(0), ".c.d"));
}
BENCHMARK(route_topic_wild)->Arg(1000)->Arg(100000);

void add_binding(benchmark::State& state) {
  Topology topology;
  topology.queue("perf");
  std::uint64_t number = 0;
  for (auto _ : state) topology.bind("amq.topic", "perf", "key." + std::to_string(number++));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(add_binding);

}  // namespace
