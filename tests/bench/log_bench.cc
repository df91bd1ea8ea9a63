// The log over a disk in memory: what an append and a flush cost without the disk.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "storage/log.h"
#include "storage/memory_disk.h"

namespace {

using namespace warren;

/// Appends `records` and makes them durable, again and again. The stream needs nothing but the
/// last batch, so that files go as they fill.
void append_and_flush(benchmark::State& state) {
  const auto records = static_cast<std::size_t>(state.range(0));
  const std::string payload(static_cast<std::size_t>(state.range(1)), 'w');
  storage::MemoryDisk disk;
  storage::Log log(disk, {}, {});
  disk.set_events(&log);
  const storage::StreamId stream{1};
  for (auto _ : state) {
    for (std::size_t i = 0; i < records; ++i) log.append(stream, 7, payload);
    log.flush(true);
    disk.run_all();
    if (log.synced() != log.end()) std::abort();
    log.release(stream, log.end());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * records));
  state.SetBytesProcessed(
      static_cast<std::int64_t>(state.iterations() * records * payload.size()));
}
BENCHMARK(append_and_flush)->Args({1, 100})->Args({100, 100})->Args({100, 1124});

}  // namespace
