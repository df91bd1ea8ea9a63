#include "management/client_index.h"

namespace warren::management {
namespace {

Json member(const JsonObject& object, const char* name) {
  const Json* found = object.if_contains(name);
  return found ? *found : Json(nullptr);
}

}  // namespace

ClientIndex::ClientIndex(const std::vector<NodeReport>& reports)
    : connections_(index(reports, "connections")), channels_(index(reports, "channels")) {}

ClientIndex::Clients ClientIndex::index(const std::vector<NodeReport>& reports,
                                        std::string_view what) {
  Clients clients;
  for (const NodeReport& report : reports)
    for (const Json& client : report.list(what))
      if (const JsonObject* object = client.if_object())
        clients[member_unsigned(*object, "id")] = {&report, object};
  return clients;
}

JsonObject ClientIndex::connection_details(std::uint64_t connection) const {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return {};
  const JsonObject& object = *found->second.second;
  return {{"name", member(object, "name")},
          {"peer_host", member(object, "peer_host")},
          {"peer_port", member(object, "peer_port")}};
}

JsonObject ClientIndex::channel_details(std::uint64_t channel) const {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return {};
  const JsonObject& object = *found->second.second;
  const JsonObject connection = connection_details(member_unsigned(object, "connection"));
  return {{"connection_name", member(connection, "name")},
          {"name", member(object, "name")},
          {"node", text_json(found->second.first->node)},
          {"number", member(object, "number")},
          {"peer_host", member(connection, "peer_host")},
          {"peer_port", member(connection, "peer_port")},
          {"user", member(object, "user")}};
}

JsonArray ClientIndex::consumers_of(const QueueFacts& facts) const {
  JsonArray list;
  if (!facts.consumer_list) return list;
  for (const Json& consumer : *facts.consumer_list) {
    const JsonObject* object = consumer.if_object();
    if (!object) continue;
    list.push_back(JsonObject{
        {"arguments", member(*object, "arguments")},
        {"ack_required", member(*object, "ack_required")},
        {"active", member(*object, "active")},
        {"activity_status", member(*object, "activity_status")},
        {"channel_details", channel_details(member_unsigned(*object, "channel"))},
        {"consumer_tag", member(*object, "consumer_tag")},
        {"exclusive", member(*object, "exclusive")},
        {"prefetch_count", member(*object, "prefetch_count")},
        {"queue", JsonObject{{"name", text_json(facts.queue->name.name)},
                             {"vhost", text_json(facts.queue->name.vhost)}}}});
  }
  return list;
}

}  // namespace warren::management
