#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/log.h"
#include "storage/memory_disk.h"

namespace warren::storage {

/// A record as recovery showed it.
struct SeenRecord {
  LogPosition position;
  StreamId stream;
  std::uint8_t kind;
  std::string payload;

  bool operator==(const SeenRecord&) const = default;
};

struct RecoveredLog {
  Recovered state;
  std::vector<SeenRecord> records;
};

/// For tests: recovers what `disk` holds and fails the test when that is refused.
inline RecoveredLog recover_all(Disk& disk) {
  RecoveredLog all;
  auto visitor = [&](LogPosition position, StreamId stream, std::uint8_t kind,
                     base::ByteView payload) {
    all.records.push_back({position, stream, kind, std::string(payload)});
  };
  auto recovered = recover(disk, visitor);
  REQUIRE(recovered.has_value());
  all.state = std::move(*recovered);
  return all;
}

/// For tests: a node's log over a disk in memory, which can be started again.
struct LogFixture {
  explicit LogFixture(Log::Options log_options = {}) : options(log_options) { start(); }

  /// Recovers and makes a new log, as a node does that starts.
  void start() {
    recovered = recover_all(disk);
    log = std::make_unique<Log>(disk, options, recovered.state);
    disk.set_events(log.get());
  }
  LogPosition append(std::uint64_t stream, base::ByteView payload) {
    return log->append(StreamId{stream}, 7, payload);
  }
  /// Appends, and waits until it is durable.
  LogPosition store(std::uint64_t stream, base::ByteView payload) {
    LogPosition position = append(stream, payload);
    log->flush(true);
    disk.run_all();
    return position;
  }
  std::vector<std::string> payloads() const {
    std::vector<std::string> all;
    for (const SeenRecord& record : recovered.records) all.push_back(record.payload);
    return all;
  }

  Log::Options options;
  MemoryDisk disk;
  RecoveredLog recovered;
  std::unique_ptr<Log> log;
};

}  // namespace warren::storage
