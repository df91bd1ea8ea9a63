#include "catalog/random_commands.h"

#include <fmt/format.h>

#include <iterator>

#include "catalog/delaying.h"

namespace warren::catalog {

std::string CommandSource::word(const char* prefix, std::uint64_t count) {
  return fmt::format("{}{}", prefix, random_.below(count));
}

ResourceName CommandSource::resource(const char* prefix) {
  return {random_.chance(90) ? "v0" : "v1", word(prefix, 6)};
}

const Queue* CommandSource::any_queue(const Catalog& catalog) {
  if (catalog.queues().empty()) return nullptr;
  auto place = static_cast<std::ptrdiff_t>(random_.below(catalog.queues().size()));
  return &std::next(catalog.queues().begin(), place)->second;
}

Incarnation CommandSource::incarnation(const Catalog& catalog, const NodeName& name) {
  const Node* node = catalog.find_node(name);
  std::uint64_t current = node == nullptr ? 0 : node->incarnation.value;
  if (random_.chance(10) && current > 0) return Incarnation{current - 1};
  return Incarnation{current + random_.below(2)};
}

std::string CommandSource::definition() {
  switch (random_.below(6)) {
    case 0: return R"({"ha-mode":"all"})";
    case 1: return fmt::format(R"({{"ha-mode":"exactly","ha-params":{}}})", 1 + random_.below(4));
    case 2: return fmt::format(R"({{"ha-mode":"nodes","ha-params":["{}","{}"]}})", node(), node());
    case 3: return R"({"ha-mode":"wrong"})";
    case 4: return R"({"message-ttl":5})";
    default: return R"({"ha-mode":"all","ha-sync-mode":"automatic"})";
  }
}

Binding CommandSource::binding() {
  bool is_to_queue = random_.chance(60);
  Binding binding;
  binding.source = resource("x");
  binding.destination_kind = is_to_queue ? DestinationKind::queue : DestinationKind::exchange;
  binding.destination = word(is_to_queue ? "q" : "x", 6);
  binding.routing_key = word("k", 2);
  if (random_.chance(30)) binding.arguments.add("a", static_cast<std::int32_t>(random_.below(2)));
  return binding;
}

Limits CommandSource::limits() {
  Limits limits;
  limits.max_connections = static_cast<std::int64_t>(random_.below(3)) - 1;
  if (random_.chance(20)) limits.max_queues = static_cast<std::int64_t>(random_.below(5));
  return limits;
}

Command CommandSource::declare_queue() {
  Queue queue;
  queue.name = resource("q");
  queue.durable = random_.chance(70);
  queue.leader = node();
  if (random_.chance(15))
    queue.exclusive_owner = ExclusiveOwner{ConnectionId{1 + random_.below(4)}, node()};
  return DeclareQueue{queue};
}

Command CommandSource::next_about_names(const Catalog& catalog) {
  const Queue* queue = any_queue(catalog);
  switch (random_.below(22)) {
    case 0: return PutVhost{{word("v", 2), word("d", 3), {}}};
    case 1:
      if (random_.chance(10)) return DeleteVhost{word("v", 2)};
      return PutVhost{{"v0", "", {}}};
    case 2: return AddUser{{word("u", 3), "", "alg", {"t"}}};
    case 3: return DeleteUser{word("u", 3)};
    case 4: return SetPassword{word("u", 3), word("h", 9), "alg"};
    case 5: return SetUserTags{word("u", 3), {word("t", 3)}};
    case 6: return SetPermission{{word("u", 3), word("v", 2), word("", 9), "", ""}};
    case 7: return ClearPermission{word("u", 3), word("v", 2)};
    case 8:
    case 9: {
      Exchange exchange{resource("x"), word("t", 2), true, random_.chance(50), false, {}, ""};
      if (random_.chance(30)) {
        exchange.type = delaying_type;
        exchange.durable = random_.chance(60);
      }
      return DeclareExchange{exchange};
    }
    case 10: return DeleteExchange{resource("x"), random_.chance(50)};
    case 11:
    case 12:
    case 13: return AddBinding{binding()};
    case 14: return RemoveBinding{binding()};
    case 15: return DeleteQueue{queue == nullptr ? QueueId{1} : queue->id};
    case 16: return DeleteExclusiveQueues{ConnectionId{1 + random_.below(4)}};
    case 17: return SetTopicPermission{{{word("v", 2), word("u", 3), word("x", 2)}, "a", "b"}};
    case 18: return ClearTopicPermission{{word("v", 2), word("u", 3), word("x", 2)}};
    case 19: return SetUserLimits{word("u", 3), limits()};
    case 20:
      if (random_.chance(40)) return SetVhostLimits{word("v", 2), std::nullopt};
      return SetVhostLimits{word("v", 2), limits()};
    default: return SetGlobalParameter{word("g", 3), word("", 3)};
  }
}

Command CommandSource::next_about_in_sync(const Catalog& catalog) {
  const Queue* queue = any_queue(catalog);
  QueueId id = queue == nullptr ? QueueId{1} : queue->id;
  Epoch epoch = queue == nullptr ? Epoch{1} : queue->epoch;
  if (random_.chance(10)) epoch = Epoch{epoch.value - 1};
  switch (random_.below(4)) {
    case 0: return RemoveInSync{id, epoch, node()};
    case 1: return ElectLeader{id, epoch, node(), random_.chance(20)};
    default: return AddInSync{id, epoch, node()};
  }
}

Command CommandSource::next_about_placement(const Catalog& catalog) {
  NodeName name = node();
  if (random_.chance(5)) {
    if (random_.chance(30)) return ClearOperatorPolicy{resource("p")};
    return SetOperatorPolicy{{.name = resource("p"),
                              .pattern = word("q", 6),
                              .definition = definition(),
                              .priority = 0,
                              .applies_to = AppliesTo::all}};
  }
  switch (random_.below(14)) {
    case 0:
    case 1:
      return SetPolicy{{.name = resource("p"),
                        .pattern = random_.chance(50) ? "" : word("q", 6),
                        .definition = definition(),
                        .priority = static_cast<std::int32_t>(random_.below(3)),
                        .applies_to = AppliesTo::all}};
    case 2: return ClearPolicy{resource("p")};
    case 3: return AddNode{name, NodeKind::disc, word("uuid", 2)};
    case 4: return SetNodeKind{name, random_.chance(50) ? NodeKind::ram : NodeKind::disc};
    case 5:
      if (random_.chance(20)) return ForgetNode{name};
      return AddNode{name, NodeKind::disc, "uuid0"};
    case 6:
    case 7: return NodeUp{name, incarnation(catalog, name)};
    case 8: {
      NodesDown down{{{name, incarnation(catalog, name)}}};
      while (random_.chance(40)) {
        name = node();
        down.nodes.push_back({name, incarnation(catalog, name)});
      }
      return down;
    }
    case 9: return declare_queue();
    default: return next_about_in_sync(catalog);
  }
}

Command CommandSource::next(const Catalog& catalog) {
  if (random_.chance(15)) return declare_queue();
  return random_.chance(50) ? next_about_names(catalog) : next_about_placement(catalog);
}

}  // namespace warren::catalog
