#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "management/json.h"

namespace warren::cli {

/// Which plugins are enabled, and what the node says it runs.
struct PluginView {
  std::vector<std::string> explicitly;              ///< as in enabled_plugins
  std::set<std::string, std::less<>> enabled;       ///< with what they need
  std::set<std::string, std::less<>> running;
  bool node_answers = false;
};

struct PluginListOptions {
  std::string pattern = ".*";
  bool only_enabled = false;    ///< -e
  bool only_explicit = false;   ///< -E
  bool minimal = false;         ///< -m: names alone
  bool verbose = false;         ///< -v
};

/// The lines of `rabbitmq-plugins list`, each with its end.
std::string plugin_list_text(const PluginView& view, const PluginListOptions& options,
                             const std::string& node);
/// The same as `--formatter json` prints it.
management::JsonObject plugin_list_json(const PluginView& view, const PluginListOptions& options);

/// Writes the file: one Erlang list, and the whole of it or nothing.
base::Result<> write_enabled_plugins(const std::filesystem::path& file,
                                     const std::vector<std::string>& explicitly);

}  // namespace warren::cli
