// One queue: messages in, out, and settled, in batches as turns of a shard bring them.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "broker/queue.h"

namespace {

using namespace warren;

constexpr std::size_t batch = 100;
constexpr broker::ChannelId channel{1};
constexpr broker::MessageIndex no_limit{~std::uint64_t{0}};

void subscribe(broker::Queue& queue, bool no_ack) {
  broker::Subscription subscription;
  subscription.consumer_tag = "c";
  subscription.no_ack = no_ack;
  subscription.credit = 1U << 30;
  if (!queue.subscribe(channel, subscription)) std::abort();
}

void make_message(benchmark::State& state) {
  const std::string body(static_cast<std::size_t>(state.range(0)), 'w');
  for (auto _ : state)
    benchmark::DoNotOptimize(broker::Message::make({.routing_key = "perf", .body = body}));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(make_message)->Arg(12)->Arg(1024)->Arg(65536);

/// Auto-ack: what is put in goes out at once.
void put_and_deliver(benchmark::State& state) {
  broker::Queue queue;
  subscribe(queue, true);
  const auto message = broker::Message::make({.routing_key = "perf", .body = "twelve bytes"});
  std::vector<broker::Queue::Outgoing> out;
  std::uint64_t index = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < batch; ++i) queue.put({++index}, message, false);
    out.clear();
    queue.deliver(no_limit, batch, out);
    // Credit is granted as it is used.
    queue.grant(channel, "c", batch);
  }
  if (out.size() != batch) state.SkipWithError("not everything was delivered");
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch));
}
BENCHMARK(put_and_deliver);

void put_deliver_and_settle(benchmark::State& state) {
  broker::Queue queue;
  subscribe(queue, false);
  const auto message = broker::Message::make({.routing_key = "perf", .body = "twelve bytes"});
  std::vector<broker::Queue::Outgoing> out;
  std::vector<broker::MessageIndex> held;
  std::vector<broker::MessageIndex> gone;
  std::uint64_t index = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < batch; ++i) queue.put({++index}, message, false);
    out.clear();
    queue.deliver(no_limit, batch, out);
    held.clear();
    for (const auto& each : out) held.push_back(each.index);
    gone.clear();
    queue.settle(channel, held, broker::Outcome::acknowledged, gone);
    queue.grant(channel, "c", batch);
  }
  if (gone.size() != batch) state.SkipWithError("not everything was settled");
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch));
}
BENCHMARK(put_deliver_and_settle);

/// A queue that holds a backlog: in at one end, out at the other.
void put_and_get_with_backlog(benchmark::State& state) {
  broker::Queue queue;
  const auto message = broker::Message::make({.routing_key = "perf", .body = "twelve bytes"});
  std::uint64_t index = 0;
  for (int i = 0; i < state.range(0); ++i) queue.put({++index}, message, false);
  for (auto _ : state) {
    queue.put({++index}, message, false);
    benchmark::DoNotOptimize(queue.get(channel, true, no_limit));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(put_and_get_with_backlog)->Arg(1000)->Arg(1000000);

}  // namespace
