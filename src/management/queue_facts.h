#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "management/reports.h"

namespace warren::management {

/// All that listings say of one queue: what the catalog holds, and what its leader reported.
/// It points into the catalog and the reports that it was made of.
struct QueueFacts {
  const catalog::Queue* queue = nullptr;
  /// False when the leader is down or did not answer; then the numbers mean nothing.
  bool is_up = false;
  std::uint64_t ready = 0;
  std::uint64_t unacknowledged = 0;
  std::uint64_t consumers = 0;
  std::uint64_t ready_bytes = 0;
  std::uint64_t unacknowledged_bytes = 0;
  const JsonArray* consumer_list = nullptr;  ///< of ReportParts::consumers, or null

  std::string type;                ///< classic, quorum or stream
  std::string policy_definition;   ///< JSON of what the policies say together, or empty
  bool is_mirrored = false;        ///< by its policy
  std::vector<catalog::NodeName> mirrors;       ///< running replicas but the leader
  std::vector<catalog::NodeName> synchronised;  ///< those of them that are in sync

  std::string_view state() const { return is_up ? "running" : "down"; }
  std::uint64_t messages() const { return ready + unacknowledged; }
};

/// The queues of a vhost, or of all, by vhost and name.
std::vector<QueueFacts> collect_queue_facts(const catalog::Catalog& catalog,
                                            const std::vector<NodeReport>& reports,
                                            std::optional<std::string_view> vhost);

/// Two numbers that stand for a process in listings: which run of which node, and which thing of
/// it. Numbers of things are cut to 32 bits; they are shown, never parsed.
Json node_pid(const catalog::Catalog& catalog, const catalog::NodeName& node, std::uint64_t number);
std::string node_pid_text(const catalog::Catalog& catalog, const catalog::NodeName& node,
                          std::uint64_t number);

}  // namespace warren::management
