#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "perf/client.h"
#include "perf/consumer.h"
#include "perf/options.h"
#include "perf/process_use.h"
#include "perf/producer.h"
#include "perf/report.h"

namespace warren::perf {

/// One load: prepares, runs, measures, cleans up. One thread drives all connections.
class Load {
 public:
  explicit Load(const Options& options);
  ~Load();

  base::Result<Report> run();

 private:
  /// What the counters stood at, to tell what a stretch of time brought.
  struct Mark {
    std::uint64_t time = 0;
    std::uint64_t published = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t delivered = 0;
  };

  base::Result<> prepare();
  base::Result<> add_producer(unsigned number);
  base::Result<> add_consumer(unsigned number);
  base::Result<> drive();
  base::Result<> turn(std::uint64_t& now);
  base::Result<bool> pump(std::uint64_t now);
  base::Result<> wait(std::uint64_t now, bool can_publish);
  void watch_writable();
  void begin_measurement(std::uint64_t now);
  void end_measurement(std::uint64_t now);
  void advance(std::uint64_t now);
  void report_progress(std::uint64_t now);
  bool is_complete() const;
  bool is_stalled(std::uint64_t now) const;
  Mark mark(std::uint64_t now) const;
  base::Result<> finish();
  Report make_report();

  const Options& options_;
  Tally tally_;
  ProcessWatch watch_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::optional<Client> admin_;
  int epoll_ = -1;

  enum class Phase { warming, measuring, settling, over };
  Phase phase_ = Phase::warming;
  std::uint64_t allowance_ = 0;    ///< messages that may yet be published
  std::uint64_t drain_count_ = 0;  ///< messages that a drain is to bring
  std::uint64_t phase_end_ = 0;    ///< when the phase is over at the latest
  std::uint64_t next_progress_ = 0;
  Mark began_;
  Mark ended_;
  Mark last_progress_;
  Histogram confirm_latency_;      ///< of the measurement, once it ended
  Histogram delivery_latency_;
  std::uint64_t longest_confirm_gap_ = 0;
};

}  // namespace warren::perf
