#pragma once

#include <string>
#include <vector>

#include "broker/channel.h"
#include "catalog/records.h"
#include "storage/log.h"

namespace warren::cluster {

/// A queue that the node led under that epoch; nobody has seen what stands after `delivered`.
struct LedQueueRecord {
  catalog::QueueId queue;
  catalog::Epoch epoch;
  broker::MessageIndex delivered;
  template <typename A>
  void fields(A& a) { a(queue, epoch, delivered); }
};

/// What a node remembers of itself outside the catalog, one record of the log that is written
/// anew when it changes.
struct FactsRecord {
  std::string uuid;
  catalog::NodeKind kind = catalog::NodeKind::disc;
  std::vector<catalog::NodeName> members;
  catalog::Incarnation incarnation;
  /// force_boot: go on without the others.
  bool is_forced = false;
  /// Members to forget at the next start.
  std::vector<catalog::NodeName> forget;
  /// Written last in an orderly stop: the queues with messages.
  std::vector<LedQueueRecord> led;

  template <typename A>
  void fields(A& a) { a(uuid, kind, members, incarnation, is_forced, forget, led); }
};

inline constexpr storage::StreamId facts_stream{1};

/// Appends the record and lets the one before go.
void write_facts(storage::Log& log, FactsRecord& facts);
base::Result<FactsRecord> read_facts_record(base::ByteView payload);

}  // namespace warren::cluster
