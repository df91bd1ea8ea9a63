// Queues: listing, purging, deleting, synchronising.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "management/command_call.h"
#include "management/queue_call.h"
#include "management/queue_facts.h"

namespace warren::management {
namespace {

using base::ErrorCode;

/// Which consumer holds the queue exclusively, or null.
const JsonObject* exclusive_consumer(const QueueFacts& facts) {
  if (!facts.consumer_list) return nullptr;
  for (const Json& consumer : *facts.consumer_list)
    if (const JsonObject* object = consumer.if_object())
      if (member_bool(*object, "exclusive")) return object;
  return nullptr;
}

Json pids(const catalog::Catalog& catalog, const QueueFacts& facts,
          const std::vector<catalog::NodeName>& nodes) {
  if (!facts.is_up || (!facts.is_mirrored && nodes.empty())) return text_json("");
  JsonArray list;
  for (const catalog::NodeName& node : nodes)
    list.push_back(node_pid(catalog, node, facts.queue->id.value));
  return list;
}

/// The columns that are numbers, which only a leader that is up can tell.
Json number_cell(const QueueFacts& facts, std::string_view column) {
  if (!facts.is_up) return text_json("");
  const std::uint64_t bytes = facts.ready_bytes + facts.unacknowledged_bytes;
  if (column == "messages_ready" || column == "messages_ready_ram") return facts.ready;
  if (column == "messages_unacknowledged" || column == "messages_unacknowledged_ram")
    return facts.unacknowledged;
  if (column == "messages_persistent") return facts.queue->durable ? facts.messages() : 0;
  if (column == "message_bytes" || column == "message_bytes_ram") return bytes;
  if (column == "message_bytes_persistent") return facts.queue->durable ? bytes : 0;
  if (column == "message_bytes_ready") return facts.ready_bytes;
  if (column == "message_bytes_unacknowledged") return facts.unacknowledged_bytes;
  if (column == "consumers") return facts.consumers;
  if (column == "memory") return bytes;
  if (column.starts_with("messages")) return facts.messages();
  return 0;  // disk_reads, disk_writes, consumer_utilisation, consumer_capacity
}

Json queue_cell(const catalog::Catalog& catalog, const QueueFacts& facts, std::string_view column) {
  const catalog::Queue& queue = *facts.queue;
  if (column == "name") return text_json(queue.name.name);
  if (column == "durable") return queue.durable;
  if (column == "auto_delete") return queue.auto_delete;
  if (column == "exclusive") return queue.is_exclusive();
  if (column == "arguments") return table_cell(queue.arguments);
  if (column == "policy") return text_json(queue.policy);
  if (column == "type") return atom_cell(facts.type);
  if (column == "state") return atom_cell(facts.state());
  if (column == "pid") return node_pid(catalog, queue.leader, queue.id.value);
  if (column == "slave_pids") return pids(catalog, facts, facts.mirrors);
  if (column == "synchronised_slave_pids") return pids(catalog, facts, facts.synchronised);
  if (column == "owner_pid") {
    if (!queue.exclusive_owner) return text_json("");
    return node_pid(catalog, queue.exclusive_owner->node, queue.exclusive_owner->connection.value);
  }
  if (column.starts_with("exclusive_consumer")) {
    const JsonObject* consumer = exclusive_consumer(facts);
    if (!consumer) return text_json("");
    if (column == "exclusive_consumer_tag")
      return text_json(member_text(*consumer, "consumer_tag"));
    return node_pid(catalog, queue.leader, member_unsigned(*consumer, "channel"));
  }
  if (column == "leader" || column == "members" || column == "online" ||
      column == "head_message_timestamp")
    return text_json("");
  return number_cell(facts, column);
}

bool is_wanted(const CommandCall& call, const QueueFacts& facts) {
  if (call.option("online") && !facts.is_up) return false;
  if (call.option("offline") && facts.is_up) return false;
  return !call.option("local") || facts.queue->leader == call.operations->node_name();
}

void list_queues(const CommandCall& call) {
  ReportParts parts;
  parts.queues = true;
  for (const std::string& column : call.arguments)
    if (column.starts_with("exclusive_consumer")) parts.consumers = true;
  gather_reports(*call.operations, parts, [call](const std::vector<NodeReport>& reports) {
    if (!call.operations->gateway())
      return call.reply(error_reply(64, "app_stopped", "stopped meanwhile"));
    const catalog::Catalog& catalog = call.catalog();
    const std::vector<std::string> columns = wanted_columns(call);
    JsonArray rows;
    for (const QueueFacts& facts : collect_queue_facts(catalog, reports, call.vhost)) {
      if (!is_wanted(call, facts)) continue;
      JsonArray row;
      for (const std::string& column : columns) row.push_back(queue_cell(catalog, facts, column));
      rows.push_back(std::move(row));
    }
    call.reply(rows_reply(columns, std::move(rows)));
  });
}

const catalog::Queue* find_queue(const CommandCall& call) {
  return call.catalog().find_queue(catalog::ResourceName{call.vhost, call.arguments[0]});
}

void purge(const CommandCall& call) {
  const catalog::Queue* queue = find_queue(call);
  if (!queue) return call.reply(error_reply(69, "failed", "not_found"));
  purge_queue(*call.operations, queue->id, [reply = call.reply](base::Result<broker::Reply> done) {
    reply(done ? ok_reply() : failed_reply(done.error()));
  });
}

void delete_queue_command(const CommandCall& call) {
  const catalog::Queue* queue = find_queue(call);
  if (!queue) return call.reply(error_reply(64, "failed", "Queue not found"));
  const bool if_unused = call.option("if_unused"), if_empty = call.option("if_empty");
  delete_queue(*call.operations, queue->id, if_unused, if_empty,
               [reply = call.reply](base::Result<broker::Reply> done) {
    if (done)
      return reply(text_reply(fmt::format(
          "Queue was successfully deleted with {} ready messages", done->messages)));
    const base::Error& error = done.error();
    if (error.code == ErrorCode::not_found)
      return reply(error_reply(64, "failed", "Queue not found"));
    if (error.code != ErrorCode::precondition_failed) return reply(failed_reply(error));
    const bool is_used = error.text.find("in use") != std::string::npos;
    reply(error_reply(64, "failed", is_used ? "Queue is in use" : "Queue is not empty"));
  });
}

bool is_synchronised(const catalog::Catalog& catalog, const catalog::Queue& queue) {
  return std::ranges::all_of(queue.replicas, [&](const catalog::NodeName& replica) {
    const catalog::Node* node = catalog.find_node(replica);
    return !node || !node->running ||
           std::ranges::find(queue.in_sync, replica) != queue.in_sync.end();
  });
}

constexpr base::Duration sync_check = std::chrono::milliseconds(50);
constexpr int sync_checks = 20 * 60 * 10;  // ten minutes

// Synchronising is the leader's work; the catalog shows when it is done.
void await_synchronised(const CommandCall& call, int checks_left) {
  if (!call.operations->gateway())
    return call.reply(error_reply(64, "app_stopped", "stopped meanwhile"));
  const catalog::Queue* queue = find_queue(call);
  if (!queue) return call.reply(error_reply(69, "failed", "not_found"));
  if (is_synchronised(call.catalog(), *queue)) return call.reply(ok_reply());
  if (checks_left == 0)
    return call.reply(failed_reply({ErrorCode::timeout, "the queue is not synchronised yet"}));
  call.operations->after(sync_check,
                         [call, checks_left] { await_synchronised(call, checks_left - 1); });
}

void sync_queue(const CommandCall& call) {
  const catalog::Queue* queue = find_queue(call);
  if (!queue) return call.reply(error_reply(69, "failed", "not_found"));
  base::Bytes request = print_json(JsonObject{{"sync_queue", queue->id.value}});
  call.operations->query(queue->leader, std::move(request), [call](base::Result<base::Bytes> done) {
    if (!done) return call.reply(failed_reply(done.error()));
    await_synchronised(call, sync_checks);
  });
}

void cancel_sync_queue(const CommandCall& call) {
  if (!find_queue(call)) return call.reply(error_reply(69, "failed", "not_found"));
  call.reply(text_reply("not_syncing"));
}

constexpr CommandEntry entries[] = {
    {"list_queues", AppNeed::running, 0, list_queues},
    {"purge_queue", AppNeed::running, 1, purge},
    {"delete_queue", AppNeed::running, 1, delete_queue_command},
    {"sync_queue", AppNeed::running, 1, sync_queue},
    {"cancel_sync_queue", AppNeed::running, 1, cancel_sync_queue},
};

}  // namespace

std::span<const CommandEntry> queue_commands() { return entries; }

}  // namespace warren::management
