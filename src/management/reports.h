#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "management/json.h"
#include "management/operations.h"

/// What a node reports of itself, and the gathering of such reports from all running members:
/// listings that span nodes are made of them.
namespace warren::management {

/// Which parts of a report somebody needs.
struct ReportParts {
  bool queues = false;     ///< counts of the queues that the node leads
  bool consumers = false;  ///< with their consumers; implies queues
  bool clients = false;    ///< connections and channels
  bool process = false;    ///< what ProcessInfo holds
};

/// One member's report. `report` is null when the member did not answer in time. Members of the
/// object: "creation" always, and for each part
///   "queues": [{"id","ready","unacknowledged","consumers","ready_bytes","unacknowledged_bytes",
///               "consumer_list":[..]}],
///   "connections": [..], "channels": [..], "process": {..}
/// with members named like the columns of the listings.
struct NodeReport {
  catalog::NodeName node;
  Json report;

  /// The object's member of that name; an empty one when there is none.
  const JsonArray& list(std::string_view name) const;
  const JsonObject& object(std::string_view name) const;
};

/// How long members may take to report.
inline constexpr base::Duration report_deadline = std::chrono::seconds(5);

/// This node's own report.
JsonObject make_report(Operations& operations, const ReportParts& parts);

/// Asks every running member, this one included; `done` gets a report for each, by name, within
/// `report_deadline`. It may be called at once, and when the application is stopped by then.
void gather_reports(Operations& operations, const ReportParts& parts,
                    std::function<void(std::vector<NodeReport>)> done);
/// Asks only those members.
void gather_reports(Operations& operations, const std::vector<catalog::NodeName>& members,
                    const ReportParts& parts,
                    std::function<void(std::vector<NodeReport>)> done);

/// Answers what other members ask for (gather_reports, closing a connection by
/// its id, starting to synchronise a queue that this node leads). The
/// server installs it as the node's query handler:
/// node.set_query_handler([&](auto request) { return answer_query(operations, request); }).
/// An unknown request gets an empty answer.
base::Bytes answer_query(Operations& operations, base::ByteView request);

/// Closes a client connection on whatever member it is.
void close_connection_on(Operations& operations, const catalog::NodeName& member,
                         catalog::ConnectionId connection, const std::string& reason,
                         Operations::Done done);

}  // namespace warren::management
