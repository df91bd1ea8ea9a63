#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "management/json.h"
#include "management/operations.h"
#include "management/reports.h"

/// Facts on the cluster in the form of `cluster_status --formatter json`, for the command line
/// and the HTTP API.
namespace warren::management {

/// The whole of cluster_status. Only while the application runs.
JsonObject cluster_facts(Operations& operations, const std::vector<NodeReport>& reports);

/// The name that was set, or this node's own.
std::string cluster_name(Operations& operations);
/// [{"interface","node","port","protocol","purpose"},..].
JsonArray listener_facts(const catalog::NodeName& node, const std::vector<ListenerInfo>& listeners);
/// [{"node","resource"},..] for the alarms that are on.
JsonArray alarm_facts(const catalog::NodeName& node, bool memory, bool disk);
JsonArray alarm_facts(const std::vector<AlarmInfo>& alarms);
/// The feature flags whose names clients look for, all enabled.
JsonArray feature_flag_facts();
/// What stands where others show their runtime's version line.
std::string_view runtime_text();
/// "HTTP API" for http, and so on.
std::string_view protocol_purpose(std::string_view protocol);

}  // namespace warren::management
