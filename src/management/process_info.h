#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What a node's process tells about itself. Plain values, copied when asked for.
namespace warren::management {

/// The RabbitMQ version whose behaviour is offered; clients and scripts compare it.
inline constexpr const char* compatible_version = "3.10.8";
inline constexpr const char* compatible_erlang_version = "25.2.3";

struct ListenerInfo {
  std::string interface;  ///< "[::]", "0.0.0.0", "127.0.0.1"
  std::uint16_t port = 0;
  std::string protocol;  ///< amqp, clustering, http, amqp/ssl, https
};

struct PluginInfo {
  std::string name;
  bool is_explicit = false;  ///< named in enabled_plugins
  bool is_implicit = false;  ///< needed by one that is
  bool is_running = false;   ///< offered by the running application
};

/// "memory" or "disk" runs short on a member.
struct AlarmInfo {
  std::string resource;
  std::string node;
};

/// Where an alarm begins: at a share of the machine's memory, or at so many bytes.
struct Threshold {
  bool is_absolute = false;
  double share = 0;
  std::uint64_t bytes = 0;
};

struct ProcessInfo {
  std::int64_t os_pid = 0;
  std::int64_t uptime_ms = 0;
  std::uint32_t processors = 1;
  std::uint64_t memory_used = 0;       ///< resident bytes
  std::uint64_t memory_limit = 0;      ///< the high watermark in bytes; 0: none
  double memory_watermark = 0.4;       ///< as set, a share of the memory; 0 when set in bytes
  bool memory_alarm = false;
  std::uint64_t disk_free = 0;         ///< bytes, on the data directory's file system
  std::uint64_t disk_free_limit = 0;
  bool disk_alarm = false;
  std::vector<AlarmInfo> alarms;  ///< of this node and, while the application runs, of all others
  std::uint64_t fd_used = 0;
  std::uint64_t fd_limit = 0;
  std::uint64_t sockets_used = 0;
  std::uint64_t sockets_limit = 0;
  std::string data_directory;
  std::vector<std::string> log_files;
  std::vector<std::string> config_files;
  std::string enabled_plugins_file;
  std::vector<ListenerInfo> listeners;
  std::vector<PluginInfo> plugins;  ///< every known one, by name
};

}  // namespace warren::management
