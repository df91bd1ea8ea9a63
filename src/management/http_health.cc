// The health checks: /api/health/checks and /api/healthchecks.
#include <fmt/format.h>

#include <algorithm>

#include "management/cluster_facts.h"
#include "management/http_call.h"
#include "management/reports.h"

namespace warren::management {
namespace {

constexpr ReportParts process_only{false, false, false, true};

void answer_failed(const HttpCall& call, std::string_view reason, JsonArray alarms = {}) {
  JsonObject facts{{"status", "failed"}, {"reason", text_json(reason)}};
  if (!alarms.empty()) facts["alarms"] = std::move(alarms);
  HttpResponse response;
  response.status = 503;
  response.body = print_json(facts);
  call.answer(std::move(response));
}

JsonArray alarms_in(const std::vector<NodeReport>& reports) {
  JsonArray alarms;
  for (const NodeReport& report : reports) {
    const JsonObject& process = report.object("process");
    for (Json& alarm : alarm_facts(report.node, member_bool(process, "memory_alarm"),
                                   member_bool(process, "disk_alarm")))
      alarms.push_back(std::move(alarm));
  }
  return alarms;
}

void answer_alarms(const HttpCall& call, JsonArray alarms, std::string_view reason) {
  if (alarms.empty()) return call.answer_json(JsonObject{{"status", "ok"}});
  answer_failed(call, reason, std::move(alarms));
}

void check_alarms(const HttpCall& call) {
  gather_reports(*call.operations, process_only, [call](const std::vector<NodeReport>& reports) {
    answer_alarms(call, alarms_in(reports), "There are alarms in effect in the cluster");
  });
}

void check_local_alarms(const HttpCall& call) {
  gather_reports(*call.operations, {call.operations->node_name()}, process_only,
                 [call](const std::vector<NodeReport>& reports) {
                   answer_alarms(call, alarms_in(reports),
                                 "There are alarms in effect on the node");
                 });
}

/// "resource alarm(s) in effect:[{resource_limit,memory,rabbit@host}]"
std::string alarms_text(const JsonArray& alarms) {
  std::string list;
  for (const Json& alarm : alarms) {
    const JsonObject& one = alarm.get_object();
    list += fmt::format("{}{{resource_limit,{},{}}}", list.empty() ? "" : ",",
                        member_text(one, "resource"), member_text(one, "node"));
  }
  return fmt::format("resource alarm(s) in effect:[{}]", list);
}

/// The older check of one node, which clients still ask for.
void check_member(const HttpCall& call, const catalog::NodeName& member) {
  gather_reports(*call.operations, {member}, process_only,
                 [call](const std::vector<NodeReport>& reports) {
                   if (reports.empty() || !reports[0].report.is_object())
                     return answer_failed(call, "nodedown");
                   const JsonArray alarms = alarms_in(reports);
                   if (alarms.empty()) return call.answer_json(JsonObject{{"status", "ok"}});
                   answer_failed(call, alarms_text(alarms));
                 });
}

void check_this_node(const HttpCall& call) { check_member(call, call.operations->node_name()); }

void check_node(const HttpCall& call) {
  const catalog::NodeName& member = call.path[0];
  if (!call.catalog().find_node(member)) return call.not_found();
  const std::vector<catalog::NodeName> running = call.operations->running_members();
  if (std::ranges::find(running, member) == running.end())
    return answer_failed(call, "nodedown");
  check_member(call, member);
}

constexpr HttpRoute entries[] = {
    {"GET", "health/checks/alarms", HttpPower::management, check_alarms},
    {"GET", "health/checks/local-alarms", HttpPower::management, check_local_alarms},
    {"GET", "healthchecks/node", HttpPower::management, check_this_node},
    {"GET", "healthchecks/node/*", HttpPower::management, check_node},
};

}  // namespace

std::span<const HttpRoute> health_routes() { return entries; }

}  // namespace warren::management
