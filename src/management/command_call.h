#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "management/json.h"
#include "management/operations.h"
#include "management/reply.h"

namespace warren::management {

/// One command under way. Whoever executes it calls `reply` exactly once.
struct CommandCall {
  Operations* operations;
  std::string command;
  std::string vhost = "/";
  std::vector<std::string> arguments;
  JsonObject options;
  std::function<void(JsonObject)> reply;

  /// The catalog; only while the application runs.
  const catalog::Catalog& catalog() const { return operations->gateway()->catalog(); }
  bool option(std::string_view name) const { return member_bool(options, name); }
  /// A `done` that replies with success, or with the failure.
  Operations::Done reply_done() const;
  /// Proposes and replies with success, or with what `on_error` makes of the failure.
  void propose(const catalog::Command& change,
               std::function<JsonObject(const base::Error&)> on_error = failed_reply) const;
};

enum class AppNeed { any, running, stopped };

struct CommandEntry {
  std::string_view name;
  AppNeed need;
  std::size_t arguments;  ///< at least so many
  void (*execute)(const CommandCall& call);
};

// The commands, a function for each family.
std::span<const CommandEntry> cluster_commands();
std::span<const CommandEntry> status_commands();
std::span<const CommandEntry> user_commands();
std::span<const CommandEntry> vhost_commands();
std::span<const CommandEntry> limit_commands();
std::span<const CommandEntry> policy_commands();
std::span<const CommandEntry> queue_commands();
std::span<const CommandEntry> topology_commands();
std::span<const CommandEntry> client_commands();

/// The columns that a listing was asked for, or its defaults.
std::vector<std::string> wanted_columns(const CommandCall& call);

/// "rabbit1@vm" as Elixir prints an atom: :rabbit1@vm, or :"a-b@vm" where quotes are needed.
std::string elixir_atom(std::string_view name);
/// A node name without host gets this node's host.
catalog::NodeName full_node_name(const Operations& operations, std::string_view name);

}  // namespace warren::management
