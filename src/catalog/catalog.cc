#include "catalog/catalog.h"

#include <fmt/format.h>

#include "catalog/applier.h"
#include "catalog/compiled_policy.h"

namespace warren::catalog {
namespace {

template <typename Map, typename Key>
auto find_in(const Map& map, const Key& key) -> const typename Map::mapped_type* {
  auto entry = map.find(key);
  return entry == map.end() ? nullptr : &entry->second;
}

template <typename Compiled>
const PolicyDefinition* definition_in(const Compiled& compiled, const ResourceName& name) {
  const auto* found = find_in(compiled, name);
  return found == nullptr ? nullptr : &(*found)->definition;
}

}  // namespace

Catalog::Catalog() = default;

base::Result<Applied> Catalog::apply(const Command& command, std::vector<Change>& changes) {
  return std::visit(Applier(*this, changes), command);
}

std::vector<Command> Catalog::first_commands(User guest) {
  guest.tags = {"administrator"};
  Permission everything{.user = guest.name,
                        .vhost = "/",
                        .configure = ".*",
                        .write = ".*",
                        .read = ".*"};
  std::vector<Command> commands;
  commands.emplace_back(PutVhost{{.name = "/", .description = "Default virtual host", .tags = {}}});
  commands.emplace_back(AddUser{std::move(guest)});
  commands.emplace_back(SetPermission{std::move(everything)});
  return commands;
}

const Vhost* Catalog::find_vhost(std::string_view name) const { return find_in(vhosts_, name); }

const User* Catalog::find_user(std::string_view name) const { return find_in(users_, name); }

const Permission* Catalog::find_permission(std::string_view user, std::string_view vhost) const {
  return find_in(permissions_, ResourceName{std::string(vhost), std::string(user)});
}

const TopicPermission* Catalog::find_topic_permission(std::string_view user,
                                                      const ResourceName& exchange) const {
  if (topic_permissions_.empty()) return nullptr;
  return find_in(topic_permissions_,
                 TopicPermissionName{exchange.vhost, std::string(user), exchange.name});
}
const Exchange* Catalog::find_exchange(const ResourceName& name) const {
  return find_in(exchanges_, name);
}

const Queue* Catalog::find_queue(const ResourceName& name) const {
  const QueueId* id = find_in(queue_names_, name);
  return id == nullptr ? nullptr : find_queue(*id);
}

const Queue* Catalog::find_queue(QueueId id) const { return find_in(queues_, id); }

base::Result<> Catalog::check_room_for_queue(const ResourceName& name) const {
  const Vhost* vhost = find_vhost(name.vhost);
  if (vhost == nullptr || !vhost->limits) return {};
  const std::int64_t limit = vhost->limits->max_queues.value_or(-1);
  const std::uint64_t* count = find_in(queue_counts_, name.vhost);
  if (limit < 0 || (count == nullptr ? 0 : *count) < static_cast<std::uint64_t>(limit)) return {};
  return base::fail(base::ErrorCode::precondition_failed,
                    fmt::format("cannot declare queue '{}': queue limit in vhost '{}' ({}) is "
                                "reached",
                                name.name, name.vhost, limit));
}
const Policy* Catalog::find_policy(const ResourceName& name) const {
  return find_in(policies_.records, name);
}

const PolicyDefinition* Catalog::find_policy_definition(const ResourceName& name) const {
  return definition_in(policies_.compiled, name);
}

const PolicyDefinition* Catalog::find_operator_definition(const ResourceName& name) const {
  return definition_in(operator_policies_.compiled, name);
}

const PolicyDefinition* Catalog::policy_of(const Queue& queue) const {
  if (queue.policy.empty()) return nullptr;
  return find_policy_definition({queue.name.vhost, queue.policy});
}

const PolicyDefinition* Catalog::operator_policy_of(const Queue& queue) const {
  if (queue.operator_policy.empty()) return nullptr;
  return find_operator_definition({queue.name.vhost, queue.operator_policy});
}

const Node* Catalog::find_node(std::string_view name) const { return find_in(nodes_, name); }

std::string_view Catalog::global_parameter(std::string_view name) const {
  const std::string* value = find_in(global_parameters_, name);
  return value == nullptr ? std::string_view() : *value;
}

}  // namespace warren::catalog
