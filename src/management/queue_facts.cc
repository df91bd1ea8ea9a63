#include "management/queue_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "catalog/policy_definition.h"
#include "management/reply.h"

namespace warren::management {
namespace {

using Answers = std::map<catalog::QueueId, const JsonObject*>;

Answers index_answers(const std::vector<NodeReport>& reports) {
  Answers answers;
  for (const NodeReport& report : reports)
    for (const Json& row : report.list("queues"))
      if (const JsonObject* object = row.if_object())
        answers[catalog::QueueId{member_unsigned(*object, "id")}] = object;
  return answers;
}

void describe_policies(const catalog::Catalog& catalog, QueueFacts& facts) {
  const catalog::PolicyDefinition* policy = catalog.policy_of(*facts.queue);
  const catalog::PolicyDefinition* operator_policy = catalog.operator_policy_of(*facts.queue);
  // What one says alone needs no merging.
  if (policy && operator_policy)
    facts.policy_definition = catalog::merge_definitions(policy, operator_policy);
  else if (policy || operator_policy)
    facts.policy_definition = (policy ? policy : operator_policy)->text;
  facts.is_mirrored = policy && policy->ha_mode != catalog::HaMode::none;
}

void describe_replicas(const catalog::Catalog& catalog, QueueFacts& facts) {
  const catalog::Queue& queue = *facts.queue;
  if (!facts.is_up) return;
  for (const catalog::NodeName& replica : queue.replicas) {
    const catalog::Node* node = catalog.find_node(replica);
    if (replica == queue.leader || !node || !node->running) continue;
    facts.mirrors.push_back(replica);
    if (std::ranges::find(queue.in_sync, replica) != queue.in_sync.end())
      facts.synchronised.push_back(replica);
  }
}

std::string queue_type(const catalog::Queue& queue) {
  const base::FieldValue* type = queue.arguments.find("x-queue-type");
  const std::string* text = type ? type->as<std::string>() : nullptr;
  return text ? *text : "classic";
}

QueueFacts make_facts(const catalog::Catalog& catalog, const catalog::Queue& queue,
                      const Answers& answers) {
  QueueFacts facts;
  facts.queue = &queue;
  facts.type = queue_type(queue);
  const auto answer = answers.find(queue.id);
  if (answer != answers.end()) {
    const JsonObject& report = *answer->second;
    facts.is_up = true;
    facts.ready = member_unsigned(report, "ready");
    facts.unacknowledged = member_unsigned(report, "unacknowledged");
    facts.consumers = member_unsigned(report, "consumers");
    facts.ready_bytes = member_unsigned(report, "ready_bytes");
    facts.unacknowledged_bytes = member_unsigned(report, "unacknowledged_bytes");
    const Json* list = report.if_contains("consumer_list");
    if (list && list->is_array()) facts.consumer_list = &list->get_array();
  }
  describe_policies(catalog, facts);
  describe_replicas(catalog, facts);
  return facts;
}

std::uint64_t creation_of(const catalog::Catalog& catalog, const catalog::NodeName& node) {
  const catalog::Node* found = catalog.find_node(node);
  return found ? found->incarnation.value : 0;
}

}  // namespace

std::vector<QueueFacts> collect_queue_facts(const catalog::Catalog& catalog,
                                            const std::vector<NodeReport>& reports,
                                            std::optional<std::string_view> vhost) {
  const Answers answers = index_answers(reports);
  std::vector<QueueFacts> all;
  for (const auto& [name, id] : catalog.queue_names()) {
    if (vhost && name.vhost != *vhost) continue;
    if (const catalog::Queue* queue = catalog.find_queue(id))
      all.push_back(make_facts(catalog, *queue, answers));
  }
  return all;
}

Json node_pid(const catalog::Catalog& catalog, const catalog::NodeName& node,
              std::uint64_t number) {
  return pid_cell(node, creation_of(catalog, node), number & 0xFFFFFFFFu);
}

std::string node_pid_text(const catalog::Catalog& catalog, const catalog::NodeName& node,
                          std::uint64_t number) {
  return fmt::format("<{}.{}.{}.0>", node, creation_of(catalog, node), number & 0xFFFFFFFFu);
}

}  // namespace warren::management
