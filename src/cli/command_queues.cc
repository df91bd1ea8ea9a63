// What is done to queues and connections.
#include <fmt/format.h>

#include "cli/invocation.h"

namespace warren::cli {
namespace {

using Banner = std::string (*)(const Arguments&, const std::string&);

std::string delete_banner(const Arguments& arguments, const std::string&) {
  std::string condition;
  if (arguments.has("if-empty") && arguments.has("if-unused"))
    condition = "if queue is empty and if queue is unused ";
  else if (arguments.has("if-empty"))
    condition = "if queue is empty ";
  else if (arguments.has("if-unused"))
    condition = "if queue is unused ";
  return fmt::format("Deleting queue '{}' on vhost '{}' {}...", arguments.positional[0],
                     arguments.vhost(), condition);
}

std::vector<CommandSpec> connection_commands() {
  const std::string_view group = "Operations";
  const Banner close = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Closing connection {}, reason: {}...", arguments.positional[0],
                       arguments.positional[1]);
  };
  const Banner close_all = [](const Arguments& arguments, const std::string& node) {
    const std::string where =
        arguments.has("global") ? "node " + node : "vhost " + arguments.vhost();
    return fmt::format("Closing all connections in {}, reason: {}...", where,
                       arguments.positional[0]);
  };
  const Banner close_users = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Closing connections of user {}, reason: {}...", arguments.positional[0],
                       arguments.positional[1]);
  };
  return {
      {"close_all_user_connections", group, "close_all_user_connections <username> <explanation>",
       "Closes all connections of a user", 2, 2, {}, true, close_users},
      {"close_all_connections", group,
       "close_all_connections [--vhost <vhost>] [--global] <explanation>",
       "Closes all connections of a vhost, or of the cluster", 1, 1, {{"global"}}, true,
       close_all},
      {"close_connection", group, "close_connection <connectionpid> <explanation>",
       "Closes the connection that list_connections shows under that pid", 2, 2, {}, true, close},
  };
}

}  // namespace

std::vector<CommandSpec> queue_commands() {
  const std::string_view group = "Queues", replication = "Replication";
  const Banner purge = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Purging queue '{}' in vhost '{}' ...", arguments.positional[0],
                       arguments.vhost());
  };
  const Banner sync = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Synchronising queue '{}' in vhost '{}' ...", arguments.positional[0],
                       arguments.vhost());
  };
  const Banner cancel = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Stopping synchronising queue '{}' in vhost '{}' ...",
                       arguments.positional[0], arguments.vhost());
  };
  std::vector<CommandSpec> all = {
      {"cancel_sync_queue", replication, "cancel_sync_queue [--vhost <vhost>] <queue>",
       "Stops the synchronising of a mirrored queue", 1, 1, {}, true, cancel},
      {"sync_queue", replication, "sync_queue [--vhost <vhost>] <queue>",
       "Waits until all mirrors of a queue that run are synchronised", 1, 1, {}, true, sync},
      {"delete_queue", group,
       "delete_queue [--vhost <vhost>] <queue_name> [--if-empty|-e] [--if-unused|-u] "
       "[--timeout <timeout>]",
       "Deletes a queue", 1, 1,
       {{"if-empty", OptionKind::flag, 'e'}, {"if-unused", OptionKind::flag, 'u'}}, true,
       delete_banner},
      {"purge_queue", group, "purge_queue [--vhost <vhost>] <queue>",
       "Removes all ready messages of a queue", 1, 1, {}, true, purge},
  };
  const std::vector<CommandSpec> connections = connection_commands();
  all.insert(all.end(), connections.begin(), connections.end());
  return all;
}

}  // namespace warren::cli
