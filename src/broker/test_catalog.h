#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"

/// A catalog for tests: one running node n@h, vhost "/", and short words to fill it.
namespace warren::broker {

struct CatalogFixture {
  catalog::Catalog catalog;

  CatalogFixture() {
    apply(catalog::AddNode{"n@h", catalog::NodeKind::disc, "uuid"});
    apply(catalog::NodeUp{"n@h", {1}});
    apply(catalog::PutVhost{{.name = "/", .description = "", .tags = {}}});
  }

  catalog::Applied apply(const catalog::Command& command) {
    std::vector<catalog::Change> changes;
    auto applied = catalog.apply(command, changes);
    if (!applied) FAIL("refused: " << applied.error().text);
    return *applied;
  }

  void exchange(const std::string& name, const std::string& type, base::FieldTable arguments = {}) {
    catalog::Exchange exchange;
    exchange.name = {"/", name};
    exchange.type = type;
    exchange.arguments = std::move(arguments);
    apply(catalog::DeclareExchange{exchange});
  }

  catalog::QueueId queue(const std::string& name) {
    catalog::Queue queue;
    queue.name = {"/", name};
    queue.leader = "n@h";
    return apply(catalog::DeclareQueue{queue}).queue;
  }

  /// From an exchange to a queue, or to an exchange when the destination starts with "->".
  void bind(const std::string& source, const std::string& destination, const std::string& key,
            base::FieldTable arguments = {}) {
    apply(catalog::AddBinding{binding(source, destination, key, std::move(arguments))});
  }

  static catalog::Binding binding(const std::string& source, const std::string& destination,
                                  const std::string& key, base::FieldTable arguments) {
    catalog::Binding binding;
    binding.source = {"/", source};
    bool to_exchange = destination.starts_with("->");
    binding.destination_kind =
        to_exchange ? catalog::DestinationKind::exchange : catalog::DestinationKind::queue;
    binding.destination = destination.substr(to_exchange ? 2 : 0);
    binding.routing_key = key;
    binding.arguments = std::move(arguments);
    return binding;
  }

  void user(const std::string& name, const std::string& hash = "") {
    catalog::User user;
    user.name = name;
    user.password_hash = hash;
    apply(catalog::AddUser{user});
  }

  void permission(const std::string& user, const std::string& configure, const std::string& write,
                  const std::string& read) {
    apply(catalog::SetPermission{
        {.user = user, .vhost = "/", .configure = configure, .write = write, .read = read}});
  }
};

}  // namespace warren::broker
