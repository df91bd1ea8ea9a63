#include "cli/plugin_list.h"

#include <doctest/doctest.h>

#include "management/plugins.h"

using namespace warren::cli;

namespace {

PluginView with_management() {
  PluginView view;
  view.explicitly = {"rabbitmq_management"};
  view.enabled = warren::management::with_dependencies(view.explicitly);
  view.running = view.enabled;
  view.node_answers = true;
  return view;
}

}  // namespace

TEST_CASE("management brings what it needs") {
  CHECK(with_management().enabled ==
        std::set<std::string, std::less<>>{"rabbitmq_management", "rabbitmq_management_agent",
                                           "rabbitmq_web_dispatch"});
}

TEST_CASE("the list marks what is enabled and what runs") {
  PluginListOptions options;
  options.only_enabled = true;
  CHECK(plugin_list_text(with_management(), options, "rabbit1@vm") ==
        " Configured: E = explicitly enabled; e = implicitly enabled\n"
        " | Status: * = running on rabbit1@vm\n |/\n"
        "[E*] rabbitmq_management       3.10.8\n"
        "[e*] rabbitmq_management_agent 3.10.8\n"
        "[e*] rabbitmq_web_dispatch     3.10.8\n");
  PluginView with_unknown = with_management();
  with_unknown.explicitly.push_back("nonsense_plugin");
  CHECK(plugin_list_text(with_unknown, options, "rabbit1@vm")
            .starts_with("WARNING - plugins currently enabled but missing: nonsense_plugin\n\n "));
  options.only_explicit = options.minimal = true;
  CHECK(plugin_list_text(with_management(), options, "rabbit1@vm") == "rabbitmq_management\n");
}

TEST_CASE("without the node the list says so") {
  PluginView view;
  PluginListOptions options;
  options.pattern = "^rabbitmq_top$";
  CHECK(plugin_list_text(view, options, "rabbit1@vm") ==
        " Configured: E = explicitly enabled; e = implicitly enabled\n"
        " | Status: [failed to contact rabbit1@vm - status not shown]\n |/\n"
        "[  ] rabbitmq_top 3.10.8\n");
}

TEST_CASE("JSON has versions as lists of characters") {
  PluginListOptions options;
  options.pattern = "rabbitmq_management$";
  CHECK(warren::management::print_json(plugin_list_json(with_management(), options)) ==
        "{\"format\":\"normal\",\"plugins\":[{\"enabled\":\"enabled\",\"name\":"
        "\"rabbitmq_management\",\"running\":true,\"running_version\":[51,46,49,48,46,56],"
        "\"version\":[51,46,49,48,46,56]}],\"status\":\"running\"}");
}
