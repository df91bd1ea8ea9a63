#include "server/environment.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

extern char** environ;

namespace warren::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view state_base = "/var/lib/rabbitmq";
constexpr std::string_view log_base = "/var/log/rabbitmq";
constexpr std::string_view config_base = "/etc/rabbitmq";

/// Looks a name up in the process's environment with its prefix, then in rabbitmq-env.conf.
class Lookup {
 public:
  Lookup(const Variables& variables, const Variables& env_file)
      : variables_(variables), env_file_(env_file) {}

  /// Empty counts as absent.
  std::optional<std::string> find(std::string_view name) const {
    if (auto value = found(variables_, fmt::format("RABBITMQ_{}", name))) return value;
    return found(env_file_, name);
  }
  std::string text(std::string_view name, std::string otherwise = {}) const {
    return find(name).value_or(std::move(otherwise));
  }
  static std::optional<std::string> found(const Variables& variables, std::string_view name) {
    auto at = variables.find(name);
    if (at == variables.end() || at->second.empty()) return {};
    return at->second;
  }

  base::Result<std::optional<std::uint16_t>> port(std::string_view name) const {
    auto text = find(name);
    if (!text) return std::nullopt;
    unsigned value = 0;
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value > 65535)
      return base::fail(base::ErrorCode::invalid_argument,
                        fmt::format("RABBITMQ_{} is not a port number: '{}'", name, *text));
    return static_cast<std::uint16_t>(value);
  }

 private:
  const Variables& variables_;
  const Variables& env_file_;
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// A name with and without the suffix means the same file.
fs::path with_suffix(const std::string& name, std::string_view suffix) {
  return name.ends_with(suffix) ? name : name + std::string(suffix);
}

std::vector<fs::path> find_config_files(const Lookup& lookup) {
  std::vector<fs::path> files;
  auto add = [&files](const fs::path& path) {
    if (is_there(path)) files.push_back(path);
  };
  std::string main = lookup.text("CONFIG_FILE", fmt::format("{}/rabbitmq", config_base));
  if (main.ends_with(".config")) {
    add(main);
  } else if (main.ends_with(".conf")) {
    add(main);
  } else {
    add(main + ".conf");
    add(main + ".config");
  }
  fs::path parts = lookup.text("CONFIG_FILES", fmt::format("{}/conf.d", config_base));
  std::error_code ignored;
  std::vector<fs::path> found;
  if (fs::is_directory(parts, ignored))
    for (const auto& entry : fs::directory_iterator(parts, ignored))
      if (entry.path().extension() == ".conf") found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
  add(with_suffix(
      lookup.text("ADVANCED_CONFIG_FILE", fmt::format("{}/advanced.config", config_base)),
      ".config"));
  return files;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  std::string item;
  for (char c : std::string(text) + ',') {
    if (c != ',' && c != ' ') {
      item.push_back(c);
    } else if (!item.empty()) {
      items.push_back(std::exchange(item, {}));
    }
  }
  return items;
}

base::Result<> read_ports(const Lookup& lookup, const Variables& variables,
                          Environment& environment) {
  TRY_ASSIGN(environment.node_port, lookup.port("NODE_PORT"));
  TRY_ASSIGN(environment.dist_port, lookup.port("DIST_PORT"));
  if (auto text = Lookup::found(variables, "ERL_EPMD_PORT")) {
    unsigned value = 0;
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value == 0 || value > 65535)
      return base::fail(base::ErrorCode::invalid_argument,
                        fmt::format("ERL_EPMD_PORT is not a port number: '{}'", *text));
    environment.epmd_port = static_cast<std::uint16_t>(value);
  }
  environment.epmd_addresses =
      split_list(Lookup::found(variables, "ERL_EPMD_ADDRESS").value_or(std::string()));
  environment.node_ip_address = lookup.text("NODE_IP_ADDRESS");
  if (environment.node_ip_address == "auto") environment.node_ip_address.clear();
  return {};
}

/// The X of "-setcookie X", which wins over every other cookie; or empty.
std::string find_cookie_argument(const std::string& arguments) {
  std::istringstream words(arguments);
  std::string word;
  while (words >> word)
    if (word == "-setcookie" && words >> word) return word;
  return {};
}

/// State below /var/lib/rabbitmq where this user may write there, else below ~/.warren.
void find_places(const Lookup& lookup, Environment& environment) {
  const Host& host = environment.host;
  fs::path own = environment.home / ".warren";
  bool is_system = host.can_write_state;
  environment.mnesia_base = lookup.text(
      "MNESIA_BASE", is_system ? fmt::format("{}/mnesia", state_base) : (own / "data").string());
  environment.data_dir =
      lookup.text("MNESIA_DIR", (environment.mnesia_base / environment.node_name).string());
  environment.log_base =
      lookup.text("LOG_BASE", is_system ? std::string(log_base) : (own / "log").string());
  environment.log_file =
      lookup.text("LOGS", (environment.log_base / (environment.node_name + ".log")).string());
  environment.pid_file = lookup.text("PID_FILE", environment.data_dir.string() + ".pid");
  environment.enabled_plugins_file = lookup.text(
      "ENABLED_PLUGINS_FILE", host.can_write_config ? fmt::format("{}/enabled_plugins", config_base)
                                                    : (own / "enabled_plugins").string());
}

}  // namespace

base::Result<std::string> complete_node_name(std::string_view name, const Host& host) {
  std::string full(name);
  if (full.find('@') == std::string::npos) full += "@" + host.short_name;
  auto at = full.find('@');
  bool is_clean = std::all_of(full.begin(), full.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '@' || c == '_' || c == '-' || c == '.';
  });
  bool has_two_parts =
      at != 0 && at + 1 != full.size() && full.find('@', at + 1) == std::string::npos;
  if (!is_clean || !has_two_parts || full.size() > 255)
    return base::fail(base::ErrorCode::invalid_argument,
                      fmt::format("'{}' is not a node name", name));
  return full;
}

std::string dialled_host(std::string_view node_name, const Host& host) {
  std::string_view name = node_name.substr(node_name.find('@') + 1);
  if (name == host.short_name || name == host.full_name || name == "localhost") return "127.0.0.1";
  return std::string(name);
}

std::string Environment::node_short_name() const {
  return node_name.substr(0, node_name.find('@'));
}

Host Host::of_this_system() {
  Host host;
  char name[256] = {};
  bool has_name = gethostname(name, sizeof name - 1) == 0 && name[0] != '\0';
  host.full_name = has_name ? name : "localhost";
  host.short_name = host.full_name.substr(0, host.full_name.find('.'));
  host.is_root = geteuid() == 0;
  if (const passwd* user = getpwuid(geteuid()); user && user->pw_dir) host.user_home = user->pw_dir;
  auto is_writable = [](std::string_view path) {
    return access(std::string(path).c_str(), W_OK) == 0;
  };
  host.can_write_state = host.is_root || (is_writable(state_base) && is_writable(log_base));
  host.can_write_config = host.is_root || is_writable(config_base);
  return host;
}

base::Result<Environment> Environment::resolve(const Variables& variables, const Host& host) {
  fs::path env_path = Lookup::found(variables, "RABBITMQ_CONF_ENV_FILE")
                          .value_or(fmt::format("{}/rabbitmq-env.conf", config_base));
  Variables env_file;
  if (is_there(env_path)) env_file = parse_env_file(read_file(env_path), variables);
  Lookup lookup(variables, env_file);

  Environment environment;
  environment.host = host;
  TRY_ASSIGN(environment.node_name, complete_node_name(lookup.text("NODENAME", "rabbit"), host));
  TRY(read_ports(lookup, variables, environment));
  environment.home =
      Lookup::found(variables, "HOME")
          .value_or(host.user_home.empty() ? std::string(state_base) : host.user_home);
  find_places(lookup, environment);
  environment.config_files = find_config_files(lookup);
  environment.start_args =
      lookup.text("SERVER_ADDITIONAL_ERL_ARGS") + " " + lookup.text("SERVER_START_ARGS");
  environment.cookie = find_cookie_argument(environment.start_args);
  if (environment.cookie.empty()) environment.cookie = lookup.text("ERLANG_COOKIE");
  environment.cookie_file = environment.home / ".erlang.cookie";
  environment.default_user = lookup.find("DEFAULT_USER");
  environment.default_pass = lookup.find("DEFAULT_PASS");
  environment.default_vhost = lookup.find("DEFAULT_VHOST");
  return environment;
}

base::Result<Environment> Environment::of_this_process() {
  Variables variables;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text = *entry;
    auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return resolve(variables, Host::of_this_system());
}

}  // namespace warren::server
