// /api/vhosts.
#include <map>

#include "management/http_call.h"
#include "management/queue_facts.h"

namespace warren::management {
namespace {

struct Totals {
  std::uint64_t ready = 0;
  std::uint64_t unacknowledged = 0;
};

JsonObject vhost_json(const HttpCall& call, const catalog::Vhost& vhost, const Totals& totals) {
  JsonObject state;
  for (const catalog::NodeName& node : call.operations->running_members()) state[node] = "running";
  JsonObject object;
  object["cluster_state"] = std::move(state);
  object["default_queue_type"] = "undefined";
  object["description"] = text_json(vhost.description);
  object["messages"] = totals.ready + totals.unacknowledged;
  object["messages_details"] = no_rate();
  object["messages_ready"] = totals.ready;
  object["messages_ready_details"] = no_rate();
  object["messages_unacknowledged"] = totals.unacknowledged;
  object["messages_unacknowledged_details"] = no_rate();
  object["metadata"] = JsonObject{{"description", text_json(vhost.description)},
                                  {"tags", texts_json(vhost.tags)}};
  object["name"] = text_json(vhost.name);
  object["tags"] = texts_json(vhost.tags);
  object["tracing"] = call.operations->is_traced(vhost.name);
  return object;
}

void answer_vhosts(const HttpCall& call, const std::vector<NodeReport>& reports) {
  if (!call.operations->gateway()) return call.answer_status(503);
  std::map<std::string, Totals> totals;
  for (const QueueFacts& facts : collect_queue_facts(call.catalog(), reports, std::nullopt)) {
    Totals& sum = totals[facts.queue->name.vhost];
    sum.ready += facts.ready;
    sum.unacknowledged += facts.unacknowledged;
  }
  if (!call.path.empty()) {
    const catalog::Vhost* vhost = call.catalog().find_vhost(call.path[0]);
    if (!vhost) return call.not_found();
    return call.answer_json(vhost_json(call, *vhost, totals[vhost->name]));
  }
  JsonArray list;
  for (const auto& [name, vhost] : call.catalog().vhosts())
    if (call.sees_vhost(name)) list.push_back(vhost_json(call, vhost, totals[name]));
  call.answer_list(std::move(list));
}

void list_vhosts(const HttpCall& call) {
  constexpr ReportParts parts{true, false, false, false};
  gather_reports(*call.operations, parts, [call](const std::vector<NodeReport>& reports) {
    answer_vhosts(call, reports);
  });
}

// Whoever makes a vhost may do everything in it. Users of other back ends have no permissions in
// the catalog.
void make_vhost(const HttpCall& call, const catalog::PutVhost& vhost) {
  call.operations->propose(vhost, [call](const base::Result<catalog::Applied>& done) {
    if (!done) return call.answer_failure(done.error());
    if (!call.is_served()) return;
    if (!call.catalog().find_user(call.login.user)) return call.answer_status(201);
    call.propose(
        catalog::SetPermission{{call.login.user, call.path[0], ".*", ".*", ".*"}}, 201);
  });
}

void put_vhost(const HttpCall& call) {
  auto body = call.object_body();
  if (!body) return;
  if (const Json* tracing = body->if_contains("tracing"))
    if (const auto is_on = lenient_bool(*tracing))
      call.operations->trace(call.path[0], *is_on);
  const catalog::PutVhost vhost{{call.path[0], member_text(*body, "description"),
                                 tags_from(body->if_contains("tags"))}};
  if (!call.catalog().find_vhost(call.path[0])) return make_vhost(call, vhost);
  call.propose(vhost, 204);
}

void delete_vhost(const HttpCall& call) {
  if (!call.catalog().find_vhost(call.path[0])) return call.not_found();
  call.propose(catalog::DeleteVhost{call.path[0]}, 204);
}

constexpr HttpRoute entries[] = {
    {"GET", "vhosts", HttpPower::management, list_vhosts},
    {"GET", "vhosts/*", HttpPower::management, list_vhosts, true},
    {"PUT", "vhosts/*", HttpPower::administrator, put_vhost},
    {"DELETE", "vhosts/*", HttpPower::administrator, delete_vhost},
};

}  // namespace

std::span<const HttpRoute> vhost_routes() { return entries; }

}  // namespace warren::management
