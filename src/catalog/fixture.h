#pragma once

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"

namespace warren::catalog {

/// A catalog under test, with short ways to make and name things in the vhost "/".
struct Fixture {
  Catalog catalog;
  std::vector<Change> changes;  ///< of the last command

  Fixture() {
    for (const Command& command : Catalog::first_commands(user_record("guest")))
      must(command);
  }

  base::Result<Applied> apply(const Command& command) {
    changes.clear();
    return catalog.apply(command, changes);
  }
  Applied must(const Command& command) {
    auto applied = apply(command);
    if (!applied) FAIL(applied.error().text);
    return *applied;
  }
  base::Error refused(const Command& command) {
    base::Bytes before = catalog.snapshot();
    auto applied = apply(command);
    REQUIRE_FALSE(applied.has_value());
    CHECK(changes.empty());
    CHECK(catalog.snapshot() == before);
    return applied.error();
  }

  template <typename T>
  std::vector<T> changes_of() const {
    std::vector<T> found;
    for (const Change& change : changes)
      if (const T* wanted = std::get_if<T>(&change)) found.push_back(*wanted);
    return found;
  }

  static ResourceName name(std::string text) { return {"/", std::move(text)}; }

  void add_running(const std::vector<NodeName>& names) {
    for (const NodeName& node : names) {
      must(AddNode{node, NodeKind::disc, node + "-uuid"});
      must(NodeUp{node, Incarnation{1}});
    }
  }
  void set_policy(std::string policy, std::string pattern, std::string definition,
                  std::int32_t priority = 0, AppliesTo applies_to = AppliesTo::all) {
    must(SetPolicy{{.name = name(std::move(policy)),
                    .pattern = std::move(pattern),
                    .definition = std::move(definition),
                    .priority = priority,
                    .applies_to = applies_to}});
  }
  static User user_record(std::string text) {
    User user;
    user.name = std::move(text);
    return user;
  }
  static Queue queue_record(std::string text, NodeName leader) {
    Queue queue;
    queue.name = name(std::move(text));
    queue.durable = true;
    queue.leader = std::move(leader);
    return queue;
  }
  QueueId declare(std::string text, NodeName leader) {
    return must(DeclareQueue{queue_record(std::move(text), std::move(leader))}).queue;
  }
  void declare_exchange(std::string text, bool auto_delete = false) {
    Exchange exchange;
    exchange.name = name(std::move(text));
    exchange.type = "direct";
    exchange.durable = true;
    exchange.auto_delete = auto_delete;
    must(DeclareExchange{exchange});
  }
  static Binding binding(std::string source, DestinationKind kind, std::string destination,
                         std::string key = "") {
    return {name(std::move(source)), kind, std::move(destination), std::move(key), {}};
  }
  const Queue& queue(QueueId id) const {
    const Queue* found = catalog.find_queue(id);
    REQUIRE(found != nullptr);
    return *found;
  }
  bool has_queue(const std::string& text) const {
    return catalog.find_queue(name(text)) != nullptr;
  }
  bool has_exchange(const std::string& text) const {
    return catalog.find_exchange(name(text)) != nullptr;
  }
};

using Names = std::vector<NodeName>;

}  // namespace warren::catalog
