// rabbitmq-plugins: the file enabled_plugins, and the node that follows it.
#include <fmt/format.h>

#include <algorithm>

#include "cli/invocation.h"
#include "cli/plugin_list.h"
#include "management/plugins.h"
#include "server/plugins_file.h"

namespace warren::cli {
namespace {

using management::text_json;

PluginView make_view(std::vector<std::string> explicitly) {
  PluginView view;
  view.explicitly = std::move(explicitly);
  std::ranges::sort(view.explicitly);
  view.enabled = management::with_dependencies(view.explicitly);
  return view;
}

base::Result<PluginView> read_view(const Invocation& invocation) {
  TRY_ASSIGN(auto explicitly,
             server::read_enabled_plugins(invocation.environment().enabled_plugins_file));
  return make_view(std::move(explicitly));
}

/// Asks the node what it runs; it may well be down.
void ask_running(Invocation& invocation, PluginView& view) {
  auto client = invocation.connect();
  if (!client) return;
  auto reply = client->request(R"({"command":"running_plugins"})",
                               Invocation::Clock::now() + std::chrono::seconds(5));
  auto parsed = reply ? management::parse_json(*reply) : base::Result<Json>(Json(nullptr));
  if (!parsed || !parsed->is_object()) return;
  const Json* value = parsed->get_object().if_contains("value");
  const Json* names = value && value->is_object() ? value->get_object().if_contains("running")
                                                  : nullptr;
  if (!names || !names->is_array()) return;
  view.node_answers = true;
  for (const Json& name : names->get_array())
    if (name.is_string()) view.running.emplace(management::text_of(name.get_string()));
}

int list(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments();
  PluginListOptions options;
  if (!arguments.positional.empty()) options.pattern = arguments.positional[0];
  options.only_enabled = arguments.has("implicitly-enabled");
  options.only_explicit = arguments.has("enabled");
  options.minimal = arguments.has("minimal") || arguments.is_quiet();
  options.verbose = arguments.has("verbose");
  auto view = read_view(invocation);
  if (!view) return invocation.fail(exit_unavailable, view.error().text);
  if (!arguments.has("offline")) ask_running(invocation, *view);
  if (invocation.format() == Format::json) {
    invocation.print_line(management::print_json(plugin_list_json(*view, options)));
    return exit_ok;
  }
  invocation.print_banner();
  invocation.print(plugin_list_text(*view, options, invocation.node()));
  return exit_ok;
}

void print_names(Invocation& invocation, std::string_view heading,
                 const std::set<std::string, std::less<>>& names) {
  if (names.empty()) return;
  invocation.print_line(heading);
  for (const std::string& name : names) invocation.print_line("  " + name);
}

std::set<std::string, std::less<>> without(const std::set<std::string, std::less<>>& all,
                                           const std::set<std::string, std::less<>>& others) {
  std::set<std::string, std::less<>> rest;
  std::ranges::set_difference(all, others, std::inserter(rest, rest.end()));
  return rest;
}

/// Lets the node start and stop what the plugins bring. The exit status.
int apply_online(Invocation& invocation, ControlClient& client, const PluginView& now) {
  JsonArray names;
  for (const std::string& name : now.explicitly) names.push_back(text_json(name));
  int status = exit_ok;
  auto reply = invocation.ask_on(
      client, JsonObject{{"command", "apply_plugins"}, {"arguments", std::move(names)}}, status);
  if (!reply) return status;
  if (management::member_text(*reply, "status") != "ok") return invocation.print_reply(*reply);
  return exit_ok;
}

/// Makes `wanted` the explicitly enabled plugins and tells what that changes.
int change(Invocation& invocation, const PluginView& before, std::vector<std::string> wanted) {
  const Arguments& arguments = invocation.arguments();
  const PluginView now = make_view(std::move(wanted));
  std::optional<ControlClient> client;
  if (!arguments.has("offline")) {
    auto connected = invocation.connect();
    if (connected) client = std::move(*connected);
    if (!connected && arguments.has("online"))
      return invocation.fail_unreachable(connected.error());
  }
  if (now.explicitly != before.explicitly)
    if (auto written = write_enabled_plugins(invocation.environment().enabled_plugins_file,
                                             now.explicitly);
        !written)
      return invocation.fail(exit_unavailable, written.error().text);
  if (now.enabled.empty()) invocation.print_line("All plugins have been disabled.");
  print_names(invocation, "The following plugins have been configured:", now.enabled);
  invocation.print_line(fmt::format("Applying plugin configuration to {}...", invocation.node()));
  if (client)
    if (const int status = apply_online(invocation, *client, now); status != exit_ok)
      return status;
  const auto added = without(now.enabled, before.enabled);
  const auto removed = without(before.enabled, now.enabled);
  if (added.empty() && removed.empty()) {
    invocation.print_line("Plugin configuration unchanged.");
    return exit_ok;
  }
  print_names(invocation, "The following plugins have been enabled:", added);
  print_names(invocation, "The following plugins have been disabled:", removed);
  if (!client) {
    invocation.print_line(fmt::format("\nset {} plugins.\nOffline change; changes will take "
                                      "effect at broker restart.",
                                      now.enabled.size()));
    return exit_ok;
  }
  std::string counts;
  if (!added.empty()) counts = fmt::format("started {} plugins", added.size());
  if (!removed.empty())
    counts += fmt::format("{}stopped {} plugins", counts.empty() ? "" : " and ", removed.size());
  invocation.print_line("\n" + counts + ".");
  return exit_ok;
}

std::vector<std::string> unknown_names(const std::vector<std::string>& names) {
  std::vector<std::string> unknown;
  for (const std::string& name : names)
    if (!management::is_known_plugin(name)) unknown.push_back(":" + name);
  return unknown;
}

int enable_or_disable(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments();
  const bool enables = invocation.spec().name != "disable";
  invocation.print_banner();
  for (const std::string& name : arguments.positional) invocation.print_line(name);
  if (const auto unknown = unknown_names(arguments.positional); !unknown.empty())
    return invocation.fail(exit_software, fmt::format("{{:plugins_not_found, [{}]}}",
                                                      fmt::join(unknown, ", ")));
  auto before = read_view(invocation);
  if (!before) return invocation.fail(exit_unavailable, before.error().text);
  std::vector<std::string> wanted;
  if (invocation.spec().name != "set") wanted = before->explicitly;
  for (const std::string& name : arguments.positional) {
    std::erase(wanted, name);
    if (enables) wanted.push_back(name);
  }
  if (!enables && arguments.has("all")) wanted.clear();
  if (enables && arguments.has("all"))
    for (const management::KnownPlugin& plugin : management::known_plugins()) {
      std::erase(wanted, plugin.name);
      wanted.emplace_back(plugin.name);
    }
  return change(invocation, *before, std::move(wanted));
}

int is_enabled(Invocation& invocation) {
  auto view = read_view(invocation);
  if (!view) return invocation.fail(exit_unavailable, view.error().text);
  invocation.print_banner();
  for (const std::string& name : invocation.arguments().positional)
    if (!view->enabled.contains(name))
      return invocation.fail(exit_unavailable,
                             fmt::format("Plugin {} is not enabled on node {}. Enabled plugins "
                                         "and dependencies: {}",
                                         name, invocation.node(), fmt::join(view->enabled, ", ")));
  for (const std::string& name : invocation.arguments().positional)
    invocation.print_line(fmt::format("Plugin {} is enabled on node {}", name, invocation.node()));
  return exit_ok;
}

std::optional<Complaint> check_mode(const Arguments& arguments) {
  if (arguments.has("online") && arguments.has("offline"))
    return Complaint{exit_usage, "Cannot set both online and offline"};
  if (arguments.positional.empty() && !arguments.has("all") && arguments.command != "set")
    return Complaint{exit_usage, "not enough arguments."};
  return std::nullopt;
}

}  // namespace

std::vector<CommandSpec> plugins_commands() {
  using Banner = std::string (*)(const Arguments&, const std::string&);
  const std::string_view group = "Plugin Management";
  const std::vector<OptionSpec> modes = {{"online"}, {"offline"}, {"all"}};
  const Banner enabling = [](const Arguments&, const std::string& node) {
    return fmt::format("Enabling plugins on node {}:", node);
  };
  const Banner disabling = [](const Arguments&, const std::string& node) {
    return fmt::format("Disabling plugins on node {}:", node);
  };
  const Banner listing = [](const Arguments& arguments, const std::string&) {
    return fmt::format("Listing plugins with pattern \"{}\" ...",
                       arguments.positional.empty() ? ".*" : arguments.positional[0]);
  };
  const Banner asking = [](const Arguments& arguments, const std::string& node) {
    return fmt::format("Asking node {} if plugin {} is enabled...", node,
                       fmt::join(arguments.positional, ", "));
  };
  return {
      {"disable", group, "disable <plugin>|--all [<plugin>...] [--offline] [--online]",
       "Disables plugins", 0, any_number, modes, true, disabling, check_mode, enable_or_disable},
      {"enable", group, "enable <plugin>|--all [<plugin>...] [--offline] [--online]",
       "Enables plugins and what they need", 0, any_number, modes, true, enabling, check_mode,
       enable_or_disable},
      {"is_enabled", group, "is_enabled <plugin1> [<plugin2>] [--offline] [--online]",
       "Fails unless the plugins are enabled", 1, any_number, {{"online"}, {"offline"}}, true,
       asking, nullptr, is_enabled},
      {"list", group, "list [pattern] [--verbose] [--minimal] [--enabled] [--implicitly-enabled]",
       "Lists plugins and their state", 0, 1,
       {{"verbose", OptionKind::flag, 'v'},
        {"minimal", OptionKind::flag, 'm'},
        {"enabled", OptionKind::flag, 'E'},
        {"implicitly-enabled", OptionKind::flag, 'e'},
        {"online"},
        {"offline"}},
       true, listing, nullptr, list},
      {"set", group, "set [<plugin>...] [--offline] [--online]",
       "Enables these plugins and disables all others", 0, any_number, modes, true, enabling,
       check_mode, enable_or_disable},
  };
}

}  // namespace warren::cli
