#include "cli/plugin_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "catalog/pattern.h"
#include "management/plugins.h"
#include "management/process_info.h"

namespace warren::cli {
namespace {

using management::JsonArray;
using management::JsonObject;
using management::KnownPlugin;
using management::text_json;

bool is_explicit(const PluginView& view, std::string_view name) {
  return std::ranges::find(view.explicitly, name) != view.explicitly.end();
}

std::vector<std::string_view> wanted(const PluginView& view, const PluginListOptions& options) {
  auto pattern = catalog::Pattern::compile(options.pattern);
  std::vector<std::string_view> names;
  for (const KnownPlugin& plugin : management::known_plugins()) {
    if (options.only_explicit && !is_explicit(view, plugin.name)) continue;
    if (options.only_enabled && !view.enabled.contains(plugin.name)) continue;
    if (pattern && pattern->matches(plugin.name)) names.push_back(plugin.name);
  }
  return names;
}

std::string marks(const PluginView& view, std::string_view name) {
  const char enabled = is_explicit(view, name) ? 'E' : view.enabled.contains(name) ? 'e' : ' ';
  return fmt::format("[{}{}]", enabled, view.running.contains(name) ? '*' : ' ');
}

/// A version as a list of characters, which is how clients get it in JSON.
JsonArray version_characters() {
  JsonArray list;
  for (const char* c = management::compatible_version; *c; ++c) list.push_back(int{*c});
  return list;
}

}  // namespace

std::string plugin_list_text(const PluginView& view, const PluginListOptions& options,
                             const std::string& node) {
  const std::vector<std::string_view> names = wanted(view, options);
  std::string out;
  if (options.minimal) {
    for (std::string_view name : names) out += fmt::format("{}\n", name);
    return out;
  }
  std::vector<std::string_view> missing;
  for (const std::string& name : view.explicitly)
    if (!management::is_known_plugin(name)) missing.push_back(name);
  if (!missing.empty())
    out += fmt::format("WARNING - plugins currently enabled but missing: {}\n\n",
                       fmt::join(missing, ", "));
  out += " Configured: E = explicitly enabled; e = implicitly enabled\n";
  out += view.node_answers
             ? fmt::format(" | Status: * = running on {}\n", node)
             : fmt::format(" | Status: [failed to contact {} - status not shown]\n", node);
  out += " |/\n";
  std::size_t width = 0;
  for (std::string_view name : names) width = std::max(width, name.size());
  for (std::string_view name : names) {
    if (!options.verbose) {
      out += fmt::format("{} {:<{}} {}\n", marks(view, name), name, width,
                         management::compatible_version);
      continue;
    }
    out += fmt::format("{} {}\n     Version:     \t{}\n     Dependencies:\t{}\n",
                       marks(view, name), name, management::compatible_version,
                       management::plugin_dependencies_text(name));
  }
  return out;
}

JsonObject plugin_list_json(const PluginView& view, const PluginListOptions& options) {
  JsonArray plugins;
  for (std::string_view name : wanted(view, options)) {
    const char* enabled = is_explicit(view, name)        ? "enabled"
                          : view.enabled.contains(name) ? "implicit"
                                                        : "not_enabled";
    const bool runs = view.running.contains(name);
    JsonObject plugin;
    plugin["enabled"] = enabled;
    plugin["name"] = text_json(name);
    plugin["running"] = runs;
    plugin["running_version"] =
        runs ? management::Json(version_characters()) : management::Json(false);
    plugin["version"] = version_characters();
    plugins.push_back(std::move(plugin));
  }
  return {{"format", options.minimal ? "minimal" : options.verbose ? "verbose" : "normal"},
          {"plugins", std::move(plugins)},
          {"status", view.node_answers ? "running" : "node_down"}};
}

base::Result<> write_enabled_plugins(const std::filesystem::path& file,
                                     const std::vector<std::string>& explicitly) {
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  const std::filesystem::path fresh = file.string() + ".new";
  std::ofstream out(fresh);
  out << fmt::format("[{}].\n", fmt::join(explicitly, ","));
  out.close();
  if (out.fail())
    return base::fail(base::ErrorCode::io,
                      fmt::format("can't write {}: {}", fresh.string(), std::strerror(errno)));
  std::filesystem::rename(fresh, file, error);
  if (error)
    return base::fail(base::ErrorCode::io,
                      fmt::format("can't replace {}: {}", file.string(), error.message()));
  return {};
}

}  // namespace warren::cli
