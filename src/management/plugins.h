#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The plugins by whose names operators know the broker's features. Which are enabled is decided
/// by the names alone; what a name brings is part of the broker.
namespace warren::management {

struct KnownPlugin {
  std::string_view name;
  std::span<const std::string_view> needs;  ///< direct dependencies that are plugins
};

/// All of them, by name.
std::span<const KnownPlugin> known_plugins();
bool is_known_plugin(std::string_view name);

/// These plugins and all that they need, by name. Unknown names are passed over.
std::set<std::string, std::less<>> with_dependencies(const std::vector<std::string>& explicitly);

/// What `rabbitmq-plugins list -v` shows as dependencies, libraries included.
std::string plugin_dependencies_text(std::string_view name);

}  // namespace warren::management
