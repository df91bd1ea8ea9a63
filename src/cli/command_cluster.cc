// The cluster: join, leave, look.
#include <fmt/format.h>

#include <filesystem>

#include "cli/cluster_status.h"
#include "cli/invocation.h"
#include "server/node_directory.h"

namespace warren::cli {
namespace {

using management::member_text;

using Banner = std::string (*)(const Arguments&, const std::string&);

int cluster_status(Invocation& invocation) {
  if (invocation.format() == Format::csv)
    return invocation.fail(exit_software, "cluster_status is no list: csv can't show it");
  int status = exit_ok;
  auto facts = invocation.ask_value("cluster_status", status);
  if (!facts) return status;
  invocation.print_banner();
  switch (invocation.format()) {
    case Format::json: invocation.print_line(management::print_json(*facts)); break;
    case Format::erlang: invocation.print_line(cluster_status_term(*facts)); break;
    default: invocation.print_line(cluster_status_text(*facts));
  }
  return exit_ok;
}

/// What the application of a node does; empty when the node can't be reached.
std::optional<std::string> find_app_state(const Invocation& invocation, const std::string& node) {
  const auto until = Invocation::Clock::now() + std::chrono::seconds(5);
  auto client = ControlClient::connect(invocation.target_of(node), until);
  if (!client) return std::nullopt;
  auto reply = client->request(R"({"command":"app_state"})", until);
  auto parsed = reply ? management::parse_json(*reply) : base::Result<Json>(Json(nullptr));
  const Json* value =
      parsed && parsed->is_object() ? parsed->get_object().if_contains("value") : nullptr;
  return value && value->is_object() ? member_text(value->get_object(), "state") : "";
}

bool has_data(const Invocation& invocation) {
  std::error_code error;
  return std::filesystem::exists(invocation.environment().data_dir, error);
}

/// Another member that serves, by the data of a node on this machine that does not.
std::optional<std::string> find_running_member(const Invocation& invocation) {
  if (!has_data(invocation)) return std::nullopt;
  auto facts = server::read_node_facts(invocation.environment());
  if (!facts) return std::nullopt;
  for (const std::string& member : facts->members)
    if (member != invocation.node() && find_app_state(invocation, member) == "running")
      return member;
  return std::nullopt;
}

// A node whose process runs marks its own directory; for one that is down it is done from here.
int force_boot(Invocation& invocation) {
  const auto own_state = find_app_state(invocation, invocation.node());
  if (!has_data(invocation) && !own_state) return invocation.fail(exit_unavailable, "enoent");
  if (own_state.value_or("stopped") != "running")
    if (auto member = find_running_member(invocation))
      return invocation.fail(
          exit_unavailable,
          fmt::format("{} runs: start {} as usual and it joins. A forced boot would throw away "
                      "what the others did since",
                      *member, invocation.node()));
  if (own_state) return invocation.run_on_node();
  auto done = server::force_boot_of_dead_node(invocation.environment());
  if (done) return exit_ok;
  const bool never_ran = done.error().code == base::ErrorCode::not_found;
  return invocation.fail(exit_unavailable, never_ran ? "enoent" : done.error().text);
}

int forget_offline(Invocation& invocation) {
  if (find_app_state(invocation, invocation.node()))
    return invocation.fail_usage(
        {exit_usage, "Error: this command requires the target node to be stopped."});
  const server::Environment& environment = invocation.environment();
  auto member =
      server::complete_node_name(invocation.arguments().positional[0], environment.host);
  if (!member) return invocation.fail(exit_data, member.error().text);
  invocation.print_note(fmt::format("Removing node {} from the cluster while {} is stopped\n"
                                    "  * Data directory: {}...",
                                    *member, invocation.node(), environment.data_dir.string()));
  if (!has_data(invocation))
    return invocation.fail(
        exit_unavailable,
        "{:corrupt_or_missing_cluster_files, {:error, :enoent}, {:error, :enoent}}");
  auto facts = server::read_node_facts(environment);
  if (!facts) return invocation.fail(exit_unavailable, facts.error().text);
  if (std::ranges::find(facts->members, *member) == facts->members.end())
    return invocation.fail(
        exit_unavailable,
        "{:not_a_cluster_node, 'The node selected is not in the cluster.'}");
  auto done = server::force_boot_of_dead_node(environment, {*member});
  if (!done) return invocation.fail(exit_unavailable, done.error().text);
  invocation.print_note("ok");
  return exit_ok;
}

int forget_cluster_node(Invocation& invocation) {
  if (invocation.arguments().has("offline")) return forget_offline(invocation);
  return invocation.run_on_node();
}

std::string forget_banner(const Arguments& arguments, const std::string&) {
  return fmt::format("Removing node {} from the cluster", arguments.positional[0]);
}

std::optional<Complaint> check_node_type(const Arguments& arguments) {
  const std::string& type = arguments.positional[0];
  if (type == "disc" || type == "disk" || type == "ram") return std::nullopt;
  return Complaint{exit_data, "Bad argument: The node type must be either disc or ram."};
}

std::optional<Complaint> check_join(const Arguments& arguments) {
  if (arguments.has("ram") && (arguments.has("disc") || arguments.has("disk")))
    return Complaint{exit_data, "Bad argument: The node type must be either disc or ram."};
  return std::nullopt;
}

constexpr std::chrono::milliseconds check_pause(400);

int await_online_nodes(Invocation& invocation) {
  invocation.set_default_timeout(std::chrono::seconds(300));
  const auto wanted = std::strtoull(invocation.arguments().positional[0].c_str(), nullptr, 10);
  invocation.print_note(fmt::format(
      "Will wait for at least {} nodes to join the cluster of {}. Timeout: {} seconds.", wanted,
      invocation.node(), invocation.timeout() ? invocation.timeout()->count() / 1000 : 0));
  while (true) {
    int status = exit_ok;
    auto facts = invocation.ask_value("app_state", status);
    if (!facts) return status;
    const Json* running = facts->if_contains("running_nodes");
    if (running && running->is_array() && running->get_array().size() >= wanted) return exit_ok;
    // The last question must not be cut short by the deadline.
    if (Invocation::Clock::now() + check_pause > invocation.deadline())
      return invocation.fail(
          exit_software,
          fmt::format("Error: timed out while waiting. Not enough nodes joined {}'s cluster.",
                      invocation.node()));
    pause_for(check_pause / 2);
  }
}

std::optional<Complaint> check_count(const Arguments& arguments) {
  const std::string& count = arguments.positional[0];
  if (count.find_first_not_of("0123456789") == std::string::npos && !count.empty())
    return std::nullopt;
  return Complaint{exit_data, "Bad argument: target node count must be an integer."};
}

}  // namespace

std::vector<CommandSpec> cluster_commands() {
  const std::string_view group = "Cluster";
  const Banner status_banner = [](const Arguments&, const std::string& node) {
    return fmt::format("Cluster status of node {} ...", node);
  };
  const Banner join_banner = [](const Arguments& arguments, const std::string& node) {
    return fmt::format("Clustering node {} with {}", node, arguments.positional[0]);
  };
  const Banner type_banner = [](const Arguments& arguments, const std::string& node) {
    return fmt::format("Turning {} into a {} node", node, arguments.positional[0]);
  };
  return {
      {"await_online_nodes", group, "await_online_nodes <count> [--timeout <timeout>]",
       "Waits until so many nodes of the cluster run", 1, 1, {}, false, nullptr, check_count,
       await_online_nodes},
      {"change_cluster_node_type", group, "change_cluster_node_type <disc | ram>",
       "Changes the type of the cluster node", 1, 1, {}, true, type_banner, check_node_type},
      {"cluster_status", group, "cluster_status [--timeout <timeout>]",
       "Displays the members of the cluster, which of them run, and their state", 0, 0, {}, true,
       status_banner, nullptr, cluster_status},
      {"force_boot", group, "force_boot",
       "Lets the node start next time without waiting for other members", 0, 0, {}, true, nullptr,
       nullptr, force_boot},
      {"force_reset", group, "force_reset",
       "Forgets everything on the node without telling its cluster", 0, 0, {}, true,
       [](const Arguments&, const std::string& node) {
         return fmt::format("Forcefully resetting node {} ...", node);
       }},
      {"forget_cluster_node", group,
       "forget_cluster_node [--offline] <existing_cluster_member_node>",
       "Removes a node that does not run from the cluster", 1, 1, {{"offline"}}, true,
       forget_banner, nullptr, forget_cluster_node},
      {"join_cluster", group, "join_cluster [--disc|--ram] <existing_cluster_member>",
       "Makes the node a member of the cluster that the other node is in; it forgets what it holds",
       1, 1, {{"disc"}, {"disk"}, {"ram"}}, true, join_banner, check_join},
      {"reset", group, "reset", "Makes the node leave its cluster and forget everything", 0, 0, {},
       true,
       [](const Arguments&, const std::string& node) {
         return fmt::format("Resetting node {} ...", node);
       }},
      {"set_cluster_name", group, "set_cluster_name <name>", "Sets the cluster name", 1, 1, {},
       true,
       [](const Arguments& arguments, const std::string&) {
         return fmt::format("Setting cluster name to {} ...", arguments.positional[0]);
       }},
  };
}

}  // namespace warren::cli
