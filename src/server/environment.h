#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// Where a node finds its things: from the RABBITMQ_ variables, rabbitmq-env.conf and defaults.
/// The commands use it too, so that they look where the node does.
namespace warren::server {

using Variables = std::map<std::string, std::string, std::less<>>;

/// What the surroundings look like, taken from outside so that tests can choose it.
struct Host {
  std::string short_name;  ///< without a dot
  std::string full_name;   ///< as the system has it; may equal the short one
  std::string user_home;   ///< of the user database, for when HOME is not set
  bool is_root = false;
  /// Whether /var/lib/rabbitmq and /etc/rabbitmq can be written (or made) by this user.
  bool can_write_state = false;
  bool can_write_config = false;

  static Host of_this_system();
};

struct Environment {
  std::string node_name;  ///< in full: "rabbit@vm"
  Host host;
  std::optional<std::uint16_t> node_port;   ///< RABBITMQ_NODE_PORT
  std::string node_ip_address;              ///< RABBITMQ_NODE_IP_ADDRESS, empty: all
  std::optional<std::uint16_t> dist_port;   ///< RABBITMQ_DIST_PORT
  std::uint16_t epmd_port = 4369;           ///< ERL_EPMD_PORT
  std::vector<std::string> epmd_addresses;  ///< ERL_EPMD_ADDRESS, empty: all
  std::filesystem::path home;
  std::filesystem::path mnesia_base;
  std::filesystem::path data_dir;  ///< RABBITMQ_MNESIA_DIR
  std::filesystem::path log_base;
  std::string log_file;  ///< RABBITMQ_LOGS; "-": standard output
  std::filesystem::path pid_file;
  std::filesystem::path enabled_plugins_file;
  /// The files that exist of: rabbitmq.conf, the files of conf.d, rabbitmq.config,
  /// advanced.config; later ones win.
  std::vector<std::filesystem::path> config_files;
  /// RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS and RABBITMQ_SERVER_START_ARGS
  std::string start_args;
  std::string cookie;  ///< -setcookie or RABBITMQ_ERLANG_COOKIE; empty: from the file
  std::filesystem::path cookie_file;
  std::optional<std::string> default_user, default_pass, default_vhost;

  /// Reads `variables` (the process's environment) over rabbitmq-env.conf over the defaults. An
  /// error is invalid_argument and names the variable.
  static base::Result<Environment> resolve(const Variables& variables, const Host& host);
  /// Of this process on this machine.
  static base::Result<Environment> of_this_process();

  std::string node_short_name() const;  ///< "rabbit"
};

/// "rabbit1" becomes "rabbit1@<short host>"; a name that has a host keeps it. invalid_argument
/// for what can't be a node name.
base::Result<std::string> complete_node_name(std::string_view name, const Host& host);
/// What to dial for a node name's host: 127.0.0.1 when it means this machine, else itself.
std::string dialled_host(std::string_view node_name, const Host& host);

/// KEY=VALUE lines as a shell would read them: comments, quotes, `export`, $NAME and ${NAME} from
/// lines before and from `variables`. Names come without RABBITMQ_. Other shell words are passed
/// over.
Variables parse_env_file(std::string_view text, const Variables& variables);

}  // namespace warren::server
