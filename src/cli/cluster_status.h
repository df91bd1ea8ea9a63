#pragma once

#include <string>
#include <vector>

#include "management/json.h"

/// The facts of cluster_status (management/cluster_facts.h) for people. No text ends with a line
/// end.
namespace warren::cli {

/// The sections, with bold titles.
std::string cluster_status_text(const management::JsonObject& facts);

/// [{nodes,[{disc,[..]},{ram,[..]}]},{running_nodes,[..]},{cluster_name,<<"..">>},
/// {partitions,[]},{alarms,[{'a@b',[]}]}], broken into lines as Erlang prints it.
std::string cluster_status_term(const management::JsonObject& facts);

/// A line for each alarm that is on.
std::vector<std::string> alarm_lines(const management::JsonObject& facts);

/// One line of a listing of listeners, without the node.
std::string listener_line(const management::JsonObject& listener);

}  // namespace warren::cli
