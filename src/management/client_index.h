#pragma once

#include <map>
#include <utility>
#include <vector>

#include "management/queue_facts.h"
#include "management/reports.h"

namespace warren::management {

/// Finds connections and channels by their ids in reports with `clients`, for what the HTTP API
/// says of them beside other things. The reports must outlive it.
class ClientIndex {
 public:
  explicit ClientIndex(const std::vector<NodeReport>& reports);

  /// {"name","peer_host","peer_port"} of a connection; empty for one that is not known.
  JsonObject connection_details(std::uint64_t connection) const;
  /// The same of a channel, with its number, node and user.
  JsonObject channel_details(std::uint64_t channel) const;
  /// The consumers of a queue, as /api/consumers lists them.
  JsonArray consumers_of(const QueueFacts& facts) const;

 private:
  using Clients = std::map<std::uint64_t, std::pair<const NodeReport*, const JsonObject*>>;
  static Clients index(const std::vector<NodeReport>& reports, std::string_view what);

  Clients connections_;
  Clients channels_;
};

}  // namespace warren::management
