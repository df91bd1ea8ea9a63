#pragma once

#include <cstdint>
#include <vector>

#include "cluster/link_message.h"
#include "cluster/queue_entry.h"
#include "storage/disk.h"

/// The records of a queue in its node's log: docs/formats/queue.md.
namespace warren::cluster {

enum RecordKind : std::uint8_t {
  entries_record = 1,
  cut_record = 2,
  kept_record = 3,
  snapshot_start_record = 5,
  header_record = 6,
};

/// Written without one of these, see append_entries.
struct EntriesRecord {
  MessageIndex commit;
  std::vector<QueueEntry> entries;
  template <typename A>
  void fields(A& a) { a(commit, entries); }
};
struct CutRecord {
  MessageIndex agreed;
  template <typename A>
  void fields(A& a) { a(agreed); }
};
struct KeptRecord {
  std::vector<SnapshotMessage> messages;
  template <typename A>
  void fields(A& a) { a(messages); }
};
struct ListedKeys {
  std::uint64_t first = 0, last = 0;
  template <typename A>
  void fields(A& a) { a(first, last); }
};
struct ListedSegment {
  storage::FileId file;
  std::uint32_t bytes = 0, index_at = 0, count = 0;
  std::vector<ListedKeys> settled;
  template <typename A>
  void fields(A& a) { a(file, bytes, index_at, count, settled); }
};
/// Everything but the messages, after the entry `applied`.
struct HeaderRecord {
  bool is_usable = true;
  MessageIndex applied;
  EpochHistory epochs;
  std::vector<ProducerMark> producers;
  std::vector<ProducerMark> refusals;  ///< see Refused
  std::vector<DatedAt> dates;
  std::vector<ListedSegment> segments;
  template <typename A>
  void fields(A& a) {
    a(is_usable, applied, epochs, producers, refusals, dates, segments);
  }
};

}  // namespace warren::cluster
