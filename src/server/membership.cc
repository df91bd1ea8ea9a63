#include "server/membership.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/random.h"
#include "server/node_directory.h"

namespace warren::server {
namespace {

using base::ErrorCode;
using management::Json;
using management::JsonArray;
using management::JsonObject;

std::string_view kind_name(catalog::NodeKind kind) {
  return kind == catalog::NodeKind::ram ? "ram" : "disc";
}
catalog::NodeKind kind_of(std::string_view name) {
  return name == "ram" ? catalog::NodeKind::ram : catalog::NodeKind::disc;
}

std::string make_uuid() {
  std::string text;
  for (char octet : base::secure_random_bytes(16))
    text += fmt::format("{:02x}", static_cast<unsigned char>(octet));
  return text;
}

JsonObject refusal(std::string_view text) {
  return {{"status", "error"}, {"text", management::text_json(text)}};
}

std::vector<catalog::NodeName> without(std::vector<catalog::NodeName> names,
                                       const catalog::NodeName& name) {
  std::erase(names, name);
  return names;
}

base::Result<> already_member() {
  return base::fail(ErrorCode::already_exists, "the node is a member already");
}

}  // namespace

const Membership::Description::Member* Membership::Description::find(
    const catalog::NodeName& name) const {
  for (const Member& member : members)
    if (member.name == name) return &member;
  return nullptr;
}

std::size_t Membership::Description::disc_members() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      members, [](const Member& member) { return member.kind == catalog::NodeKind::disc; }));
}

Membership::Membership(net::Shard& shard, const Settings& settings, Application& application)
    : shard_(shard),
      settings_(settings),
      application_(application),
      caller_{settings.environment.node_name, settings.cookie, settings.environment.host,
              settings.environment.epmd_port} {}
Membership::~Membership() = default;

void Membership::ask(const catalog::NodeName& node, const JsonObject& request,
                     std::function<void(base::Result<JsonObject>)> done) {
  std::uint64_t id = ++last_call_;
  auto on_reply = [this, id, done = std::move(done)](base::Result<std::string> reply) {
    auto call = std::move(calls_.at(id));
    calls_.erase(id);
    if (!reply) return done(std::unexpected(reply.error()));
    auto json = management::parse_json(*reply);
    const auto* object = json ? json->if_object() : nullptr;
    if (!object) return done(base::fail(ErrorCode::internal, "the node's reply makes no sense"));
    if (management::member_text(*object, "status") != "ok")
      return done(base::fail(ErrorCode::not_allowed, management::member_text(*object, "text")));
    done(*object);
  };
  calls_.emplace(
      id, std::make_unique<ControlCall>(shard_, caller_, node, management::print_json(request),
                                        std::move(on_reply)));
}

void Membership::describe(const catalog::NodeName& node, Described done) {
  ask(node, {{"command", "cluster.describe"}},
      [done = std::move(done)](base::Result<JsonObject> reply) {
        if (!reply) return done(std::unexpected(reply.error()));
        done(read_description(*reply));
      });
}

base::Result<Membership::Description> Membership::read_description(const JsonObject& reply) {
  Description description;
  description.is_running = management::member_bool(reply, "running");
  const auto* members = reply.if_contains("members");
  const auto* voters = reply.if_contains("voters");
  if (!members || !members->is_array() || !voters || !voters->is_array())
    return base::fail(ErrorCode::internal, "the node's reply makes no sense");
  for (const Json& entry : members->as_array()) {
    const auto* member = entry.if_object();
    if (!member) continue;
    description.members.push_back({management::member_text(*member, "name"),
                                   kind_of(management::member_text(*member, "kind")),
                                   management::member_bool(*member, "running")});
  }
  for (const Json& entry : voters->as_array())
    if (const auto* text = entry.if_string()) description.voters.emplace_back(*text);
  return description;
}

void Membership::find_running(std::vector<catalog::NodeName> others, Described done,
                              std::function<void(const catalog::NodeName&)> found) {
  if (others.empty()) return done(Description{});
  catalog::NodeName next = others.front();
  others.erase(others.begin());
  describe(next, [this, next, others = std::move(others), done = std::move(done),
                  found = std::move(found)](base::Result<Description> description) mutable {
    if (!description || !description->is_running)
      return find_running(std::move(others), std::move(done), std::move(found));
    found(next);
    done(std::move(description));
  });
}

void Membership::join(const catalog::NodeName& target, bool ram, Done done) {
  if (target == settings_.environment.node_name)
    return done(base::fail(ErrorCode::invalid_argument, "cannot cluster node with itself"));
  describe(target, [this, target, ram,
                    done = std::move(done)](base::Result<Description> description) mutable {
    if (!description) {
      if (description.error().code != ErrorCode::access_refused)
        return done(base::fail(ErrorCode::unavailable, description.error().text));
      return done(std::unexpected(description.error()));
    }
    on_target_described(target, ram, *description, std::move(done));
  });
}

void Membership::on_target_described(const catalog::NodeName& target, bool ram,
                                     const Description& cluster, Done done) {
  if (application_.state() != management::AppState::stopped &&
      application_.state() != management::AppState::failed)
    return done(base::fail(ErrorCode::not_allowed, "the application runs again"));
  const std::string& self = settings_.environment.node_name;
  if (!cluster.is_running)
    return done(base::fail(ErrorCode::unavailable,
                           fmt::format("the application of {} does not run", target)));
  auto facts = read_node_facts(settings_.environment);
  if (!facts) return done(std::unexpected(facts.error()));
  bool knows_target = std::ranges::find(facts->members, target) != facts->members.end();
  if (cluster.find(self)) {
    if (knows_target) return done(already_member());
    return done(base::fail(ErrorCode::precondition_failed,
                           fmt::format("Node {0} thinks it\\'s clustered with node {1}, but {1} "
                                       "disagrees",
                                       target, self)));
  }
  leave_old_cluster(*facts, target, [this, target, ram, cluster, done = std::move(done)]() mutable {
    ask_admission(target, ram, cluster, std::move(done));
  });
}

void Membership::leave_old_cluster(const cluster::NodeFacts& facts,
                                   const catalog::NodeName& new_member,
                                   std::function<void()> done) {
  auto others = without(without(facts.members, settings_.environment.node_name), new_member);
  auto member = std::make_shared<catalog::NodeName>();
  find_running(
      std::move(others),
      [this, member, done = std::move(done)](base::Result<Description> old_cluster) {
        const std::string& self = settings_.environment.node_name;
        if (!old_cluster || !old_cluster->find(self)) return done();
        ask(*member, {{"command", "cluster.forget"}, {"name", self}},
            [done](base::Result<JsonObject>) { done(); });
      },
      [member](const catalog::NodeName& name) { *member = name; });
}

void Membership::ask_admission(const catalog::NodeName& target, bool ram,
                               const Description& cluster, Done done) {
  const std::string& self = settings_.environment.node_name;
  cluster::NodeFacts facts;
  facts.uuid = make_uuid();
  facts.kind = ram ? catalog::NodeKind::ram : catalog::NodeKind::disc;
  for (const auto& member : cluster.members) facts.members.push_back(member.name);
  facts.members.push_back(self);
  std::sort(facts.members.begin(), facts.members.end());
  facts.voters = cluster.voters;
  facts.is_virgin = false;
  // The catalog knows the node first: should this fail in between, join_cluster can be repeated
  // after forget_cluster_node. The other way round the node would be in no cluster at all.
  JsonObject request{{"command", "cluster.admit"},
                     {"name", self},
                     {"kind", kind_name(facts.kind)},
                     {"uuid", facts.uuid}};
  ask(target, request,
      [this, facts, target, done = std::move(done)](base::Result<JsonObject> reply) {
        if (!reply) return done(std::unexpected(reply.error()));
        base::log_info("joined the cluster of {}", target);
        done(become_member(settings_.environment, facts));
      });
}

void Membership::reset(Done done) {
  auto facts = read_node_facts(settings_.environment);
  if (!facts) return done(std::unexpected(facts.error()));
  const std::string& self = settings_.environment.node_name;
  auto others = without(facts->members, self);
  if (others.empty()) return force_reset(std::move(done));
  auto member = std::make_shared<catalog::NodeName>();
  auto on_described = [this, self, member,
                       done = std::move(done)](base::Result<Description> cluster) mutable {
    if (!cluster) return done(std::unexpected(cluster.error()));
    if (!cluster->is_running)
      return done(base::fail(ErrorCode::unavailable,
                             "You cannot leave a cluster if no online nodes are present."));
    const auto* own = cluster->find(self);
    if (!own) return force_reset(std::move(done));
    if (own->kind == catalog::NodeKind::disc && cluster->disc_members() == 1)
      return done(base::fail(
          ErrorCode::not_allowed,
          "You cannot reset a node when it is the only disc node in a cluster. Please convert "
          "another node of the cluster to a disc node first."));
    ask(*member, {{"command", "cluster.forget"}, {"name", self}},
        [this, done = std::move(done)](base::Result<JsonObject> reply) mutable {
          if (!reply) return done(std::unexpected(reply.error()));
          force_reset(std::move(done));
        });
  };
  find_running(std::move(others), std::move(on_described),
               [member](const catalog::NodeName& name) { *member = name; });
}

void Membership::force_reset(Done done) {
  done(forget_everything(settings_.environment));
}

void Membership::change_kind(catalog::NodeKind kind, Done done) {
  auto facts = read_node_facts(settings_.environment);
  if (!facts) return done(std::unexpected(facts.error()));
  const std::string& self = settings_.environment.node_name;
  auto others = without(facts->members, self);
  if (others.empty()) return done(base::fail(ErrorCode::not_allowed, "The node is not clustered"));
  auto member = std::make_shared<catalog::NodeName>();
  auto on_described = [this, self, member, kind,
                       done = std::move(done)](base::Result<Description> cluster) mutable {
    if (!cluster) return done(std::unexpected(cluster.error()));
    const auto* own = cluster->find(self);
    if (!cluster->is_running || !own)
      return done(base::fail(ErrorCode::unavailable, "no other member of the cluster runs"));
    if (own->kind == kind)
      return done(base::fail(ErrorCode::already_exists, "the node is of that kind"));
    if (kind == catalog::NodeKind::ram && cluster->disc_members() == 1)
      return done(base::fail(ErrorCode::not_allowed,
                             "You cannot convert a node to a RAM node when it is the only disc "
                             "node in a cluster."));
    JsonObject request{{"command", "cluster.set_kind"}, {"name", self}, {"kind", kind_name(kind)}};
    ask(*member, request, [this, kind, done = std::move(done)](base::Result<JsonObject> reply) {
      if (!reply) return done(std::unexpected(reply.error()));
      done(server::change_kind(settings_.environment, kind));
    });
  };
  find_running(std::move(others), std::move(on_described),
               [member](const catalog::NodeName& name) { *member = name; });
}

void Membership::forget(const catalog::NodeName& member, Done done) {
  cluster::Node* node = application_.node();
  if (!node || application_.state() != management::AppState::running)
    return done(base::fail(ErrorCode::unavailable, "the application does not run"));
  const auto* known = node->catalog().find_node(member);
  if (!known) return done(base::fail(ErrorCode::not_found, "the node is no member"));
  if (known->running) return done(base::fail(ErrorCode::not_allowed, "the node runs"));
  node->propose(catalog::ForgetNode{member}, [done = std::move(done)](auto result) {
    if (!result) return done(std::unexpected(result.error()));
    done({});
  });
}

JsonObject Membership::own_description() {
  JsonArray members;
  JsonArray voters;
  cluster::Node* node = application_.node();
  bool is_running = node && application_.state() == management::AppState::running;
  if (is_running) {
    for (const auto& [name, member] : node->catalog().nodes())
      members.push_back(JsonObject{{"name", management::text_json(name)},
                                   {"kind", kind_name(member.kind)},
                                   {"running", member.running}});
  }
  return {{"status", "ok"},
          {"running", is_running},
          {"members", std::move(members)},
          {"voters", std::move(voters)}};
}

void Membership::propose(const catalog::Command& command,
                         const std::function<void(std::string)>& reply) {
  cluster::Node* node = application_.node();
  if (!node || application_.state() != management::AppState::running)
    return reply(management::print_json(refusal("the application does not run")));
  node->propose(command, [reply](auto result) {
    reply(management::print_json(result ? JsonObject{{"status", "ok"}}
                                        : refusal(result.error().text)));
  });
}

bool Membership::answer(const std::string& request, const std::function<void(std::string)>& reply) {
  if (request.find("\"cluster.") == std::string::npos) return false;
  auto json = management::parse_json(request);
  const auto* object = json ? json->if_object() : nullptr;
  if (!object) return false;
  std::string command = management::member_text(*object, "command");
  std::string name = management::member_text(*object, "name");
  catalog::NodeKind kind = kind_of(management::member_text(*object, "kind"));
  if (command == "cluster.describe") {
    reply(management::print_json(own_description()));
  } else if (command == "cluster.admit") {
    propose(catalog::AddNode{name, kind, management::member_text(*object, "uuid")}, reply);
  } else if (command == "cluster.forget") {
    propose(catalog::ForgetNode{name}, reply);
  } else if (command == "cluster.set_kind") {
    propose(catalog::SetNodeKind{name, kind}, reply);
  } else {
    return false;
  }
  return true;
}

}  // namespace warren::server
