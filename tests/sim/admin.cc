#include "sim/admin.h"

namespace warren::sim {

Admin::Admin(World& world, Ledger& ledger, std::vector<QueuePlan> queues)
    : Client(world, ledger, "admin"), queues_(std::move(queues)) {}

void Admin::on_connected() { keep_declared(); }

void Admin::keep_declared() {
  declare_missing();
  later(std::chrono::milliseconds(500), [this] { keep_declared(); });
}

void Admin::declare_missing() {
  call([this](cluster::Node& node) {
    for (const QueuePlan& plan : queues_) {
      if (QueueId queue = find_queue(node, plan.name)) {
        ledger_.note_queue(queue, plan.is_durable);
        if (plan.is_excused) ledger_.excuse(queue);
        continue;
      }
      if (is_finished()) continue;
      catalog::Queue queue;
      queue.name = {"/", plan.name};
      queue.durable = plan.is_durable;
      queue.arguments = plan.arguments;
      if (plan.has_priorities) queue.arguments.add("x-max-priority", std::int32_t{2});
      queue.leader = node.node_name();
      if (!plan.dead_letters.empty()) {
        queue.arguments.add("x-dead-letter-exchange", "");
        queue.arguments.add("x-dead-letter-routing-key", plan.dead_letters);
      }
      broker::RequestId request = next_request();
      asked_[request] = {Kind::declare, {}};
      node.change(channel(), request, catalog::DeclareQueue{queue});
    }
  });
}

bool Admin::has_all() const {
  for (Machine* machine : world_.machines()) {
    if (!machine->is_serving()) continue;
    for (const QueuePlan& plan : queues_)
      if (!find_queue(*machine->node(), plan.name)) return false;
  }
  return true;
}

void Admin::set_policy(const std::string& definition) {
  call([this, definition](cluster::Node& node) {
    world_.trace("admin: policy {}", definition);
    catalog::Policy policy;
    policy.name = {"/", "ha"};
    policy.pattern = "^ha\\.";
    policy.definition = definition;
    broker::RequestId request = next_request();
    asked_[request] = {Kind::policy, {}};
    node.change(channel(), request, catalog::SetPolicy{policy});
  });
}

void Admin::clear_policy() {
  call([this](cluster::Node& node) {
    world_.trace("admin: policy cleared");
    broker::RequestId request = next_request();
    asked_[request] = {Kind::policy, {}};
    node.change(channel(), request, catalog::ClearPolicy{{"/", "ha"}});
  });
}

void Admin::delete_queue(const std::string& name) {
  call([this, name](cluster::Node& node) {
    QueueId queue = find_queue(node, name);
    if (!queue) return;
    world_.trace("admin: deletes {}", name);
    ledger_.excuse(queue);
    broker::RequestId request = next_request();
    asked_[request] = {Kind::remove, queue};
    node.delete_queue(channel(), request, queue, false, false);
  });
}

void Admin::purge_queue(const std::string& name) {
  call([this, name](cluster::Node& node) {
    QueueId queue = find_queue(node, name);
    if (!queue) return;
    world_.trace("admin: purges {}", name);
    ledger_.excuse(queue);
    broker::RequestId request = next_request();
    asked_[request] = {Kind::purge, queue};
    node.purge(channel(), request, queue);
  });
}

void Admin::on_reply(broker::RequestId request, base::Result<broker::Reply> reply) {
  if (asked_.erase(request) == 0)
    return world_.fail("admin: an answer to no request");
  if (!reply) world_.trace("admin: refused: {}", reply.error().text);
}

}  // namespace warren::sim
