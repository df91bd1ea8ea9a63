// /api/queues: listing, declaring, deleting, purging.
#include <fmt/format.h>

#include "broker/equivalence.h"
#include "broker/names.h"
#include "broker/queue_arguments.h"
#include "management/client_index.h"
#include "management/http_call.h"
#include "management/queue_call.h"
#include "management/queue_facts.h"

namespace warren::management {
namespace {

using broker::Access;
using broker::ResourceKind;

void add_count(JsonObject& object, const std::string& name, std::uint64_t count) {
  object[name] = count;
  object[name + "_details"] = no_rate();
}

void add_numbers(JsonObject& object, const QueueFacts& facts) {
  const std::uint64_t bytes = facts.ready_bytes + facts.unacknowledged_bytes;
  const bool durable = facts.queue->durable;
  object["consumer_capacity"] = 0;
  object["consumer_utilisation"] = 0;
  object["consumers"] = facts.consumers;
  object["head_message_timestamp"] = nullptr;
  object["memory"] = bytes;
  object["message_bytes"] = bytes;
  object["message_bytes_paged_out"] = 0;
  object["message_bytes_persistent"] = durable ? bytes : 0;
  object["message_bytes_ram"] = bytes;
  object["message_bytes_ready"] = facts.ready_bytes;
  object["message_bytes_unacknowledged"] = facts.unacknowledged_bytes;
  add_count(object, "messages", facts.messages());
  object["messages_paged_out"] = 0;
  object["messages_persistent"] = durable ? facts.messages() : 0;
  object["messages_ram"] = facts.messages();
  add_count(object, "messages_ready", facts.ready);
  object["messages_ready_ram"] = facts.ready;
  add_count(object, "messages_unacknowledged", facts.unacknowledged);
  object["messages_unacknowledged_ram"] = facts.unacknowledged;
}

Json policy_definition_json(const QueueFacts& facts) {
  if (auto parsed = parse_json(facts.policy_definition); parsed && parsed->is_object())
    return std::move(*parsed);
  return JsonObject{};
}

/// The tag of the first consumer of which that is true.
template <typename Says>
Json tag_of(const QueueFacts& facts, Says says) {
  if (facts.consumer_list)
    for (const Json& consumer : *facts.consumer_list)
      if (const JsonObject* object = consumer.if_object())
        if (says(*object))
          return text_json(member_text(*object, "consumer_tag"));
  return nullptr;
}

JsonObject queue_json(const QueueFacts& facts) {
  const catalog::Queue& queue = *facts.queue;
  JsonObject object;
  object["arguments"] = table_json(queue.arguments);
  object["auto_delete"] = queue.auto_delete;
  if (facts.is_up) add_numbers(object, facts);
  object["durable"] = queue.durable;
  object["effective_policy_definition"] = policy_definition_json(facts);
  object["exclusive"] = queue.is_exclusive();
  if (facts.is_up) object["exclusive_consumer_tag"] = tag_of(
      facts, [](const JsonObject& consumer) { return member_bool(consumer, "exclusive"); });
  object["name"] = text_json(queue.name.name);
  object["node"] = text_json(queue.leader);
  object["operator_policy"] =
      queue.operator_policy.empty() ? Json(nullptr) : text_json(queue.operator_policy);
  object["policy"] = queue.policy.empty() ? Json(nullptr) : text_json(queue.policy);
  if (facts.is_up) {
    const bool has_mirrors = facts.is_mirrored || !facts.mirrors.empty();
    object["recoverable_slaves"] = has_mirrors ? Json(texts_json(facts.mirrors)) : Json(nullptr);
    object["single_active_consumer_tag"] = tag_of(facts, [](const JsonObject& consumer) {
      return member_text(consumer, "activity_status") == "single_active";
    });
    if (has_mirrors) {
      object["slave_nodes"] = texts_json(facts.mirrors);
      object["synchronised_slave_nodes"] = texts_json(facts.synchronised);
    }
  }
  object["state"] = text_json(facts.state());
  object["type"] = text_json(facts.type);
  object["vhost"] = text_json(queue.name.vhost);
  return object;
}

constexpr ReportParts with_consumers{true, true, false, false};

void list_of(const HttpCall& call, std::optional<std::string> vhost) {
  gather_reports(*call.operations, with_consumers,
                 [call, vhost](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway()) return call.answer_status(503);
    JsonArray list;
    for (const QueueFacts& facts : collect_queue_facts(call.catalog(), reports, vhost))
      if (call.sees_vhost(facts.queue->name.vhost)) list.push_back(queue_json(facts));
    call.answer_list(std::move(list));
  });
}

void list_all(const HttpCall& call) { list_of(call, std::nullopt); }
void list_vhost(const HttpCall& call) { list_of(call, call.path[0]); }

const catalog::Queue* find_queue(const HttpCall& call) {
  return call.catalog().find_queue(catalog::ResourceName{call.path[0], call.path[1]});
}

void show(const HttpCall& call) {
  if (!find_queue(call)) return call.not_found();
  constexpr ReportParts parts{true, true, true, false};
  gather_reports(*call.operations, parts, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway()) return call.answer_status(503);
    for (const QueueFacts& facts : collect_queue_facts(call.catalog(), reports, call.path[0])) {
      if (facts.queue->name.name != call.path[1]) continue;
      JsonObject object = queue_json(facts);
      const ClientIndex clients(reports);
      if (const auto& owner = facts.queue->exclusive_owner)
        object["owner_pid_details"] = clients.connection_details(owner->connection.value);
      if (facts.is_up) {
        object["consumer_details"] = clients.consumers_of(facts);
        object["deliveries"] = JsonArray{};
        object["incoming"] = JsonArray{};
      }
      return call.answer_json(std::move(object));
    }
    call.not_found();
  });
}

/// Reads a boolean member; answers 400 and gives false when it is something else.
bool read_bool(const HttpCall& call, const JsonObject& body, const char* name, bool& value) {
  const Json* member = body.if_contains(name);
  if (!member) return true;
  if (auto read = lenient_bool(*member)) {
    value = *read;
    return true;
  }
  call.answer_error(400, "bad_request", JsonArray{"not_boolean", *member});
  return false;
}

std::optional<broker::QueueDeclaration> read_declaration(const HttpCall& call,
                                                         const JsonObject& body) {
  broker::QueueDeclaration wanted;
  wanted.name = {call.path[0], broker::strip_line_breaks(call.path[1])};
  wanted.durable = true;
  if (!read_bool(call, body, "durable", wanted.durable)) return std::nullopt;
  if (!read_bool(call, body, "auto_delete", wanted.auto_delete)) return std::nullopt;
  if (const Json* arguments = body.if_contains("arguments"); arguments && arguments->is_object())
    wanted.arguments = json_table(arguments->get_object());
  return wanted;
}

/// Answers for a queue that exists.
void answer_existing(const HttpCall& call, const catalog::Queue& queue,
                     const broker::QueueDeclaration& wanted) {
  if (auto same = broker::check_equivalent(queue, wanted, {}); !same)
    return call.answer_failure(same.error());
  call.answer_status(204);
}

void declare(const HttpCall& call) {
  auto body = call.object_body();
  if (!body) return;
  auto wanted = read_declaration(call, *body);
  if (!wanted) return;
  if (auto name = broker::check_queue_name(wanted->name.name); !name) return call.refused();
  if (!call.may(wanted->name, ResourceKind::queue, Access::configure)) return;
  if (const catalog::Queue* queue = call.catalog().find_queue(wanted->name))
    return answer_existing(call, *queue, *wanted);
  if (auto valid = broker::check_new_queue(*wanted); !valid)
    return call.answer_failure(valid.error());
  if (!call.accept(call.authorizer().check_forwarding(
          call.login, wanted->name, ResourceKind::queue,
          wanted->arguments.find("x-dead-letter-exchange"))))
    return;
  catalog::Queue queue;
  queue.name = wanted->name;
  queue.durable = wanted->durable;
  queue.auto_delete = wanted->auto_delete;
  queue.arguments = wanted->arguments;
  queue.leader = member_text(*body, "node", call.operations->node_name());
  const catalog::Node* leader = call.catalog().find_node(queue.leader);
  if (!leader || !leader->running) return call.bad_request("no such node is running");
  call.operations->propose(
      catalog::DeclareQueue{std::move(queue)},
      [call, wanted = *wanted](base::Result<catalog::Applied> result) {
        if (result) return call.answer_status(201);
        const bool exists = result.error().code == base::ErrorCode::already_exists;
        const catalog::Queue* other =
            exists && call.operations->gateway() ? call.catalog().find_queue(wanted.name) : nullptr;
        if (other) return answer_existing(call, *other, wanted);
        call.answer_failure(result.error());
      });
}

void remove(const HttpCall& call) {
  const catalog::Queue* queue = find_queue(call);
  if (!queue) return call.not_found();
  if (!call.may(queue->name, ResourceKind::queue, Access::configure)) return;
  if (!call.is_shared(*queue)) return;
  delete_queue(*call.operations, queue->id, call.query_value("if-unused") == "true",
               call.query_value("if-empty") == "true",
               [call](base::Result<broker::Reply> done) {
                 if (!done) return call.answer_failure(done.error());
                 call.answer_status(204);
               });
}

void purge(const HttpCall& call) {
  const catalog::Queue* queue = find_queue(call);
  if (!queue) return call.not_found();
  if (!call.may(queue->name, ResourceKind::queue, Access::read)) return;
  if (!call.is_shared(*queue)) return;
  purge_queue(*call.operations, queue->id, [call](base::Result<broker::Reply> done) {
    if (!done) return call.answer_failure(done.error());
    call.answer_status(204);
  });
}

constexpr HttpRoute entries[] = {
    {"GET", "queues", HttpPower::management, list_all},
    {"GET", "queues/*", HttpPower::management, list_vhost, true},
    {"GET", "queues/*/*", HttpPower::management, show, true},
    {"PUT", "queues/*/*", HttpPower::management, declare, true},
    {"DELETE", "queues/*/*", HttpPower::management, remove, true},
    {"DELETE", "queues/*/*/contents", HttpPower::management, purge, true},
};

}  // namespace

std::span<const HttpRoute> queue_routes() { return entries; }

}  // namespace warren::management
