#include "server/server.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "codec/erlang_args.h"
#include "net/shard.h"
#include "net/timer.h"
#include "server/cookie.h"
#include "server/log_file.h"
#include "server/node_process.h"
#include "server/process.h"

namespace warren::server {
namespace {

constexpr const char* version = "0.1.0";

base::Result<Settings> read_settings() {
  Settings settings;
  TRY_ASSIGN(settings.environment, Environment::of_this_process());
  Environment& environment = settings.environment;
  TRY_ASSIGN(settings.configuration, read_config_files(environment.config_files));
  TRY_ASSIGN(auto arguments, codec::erlang::parse_start_args(environment.start_args));
  TRY(apply_settings(arguments, settings.configuration));
  Configuration& configuration = settings.configuration;
  if (environment.default_user) configuration.default_user = *environment.default_user;
  if (environment.default_pass) configuration.default_pass = *environment.default_pass;
  if (environment.default_vhost) configuration.default_vhost = *environment.default_vhost;
  if (environment.cookie.empty()) {
    TRY_ASSIGN(settings.cookie, read_or_make_cookie(environment.cookie_file));
  } else {
    TRY_ASSIGN(settings.cookie, parse_cookie(environment.cookie));
  }
  return settings;
}

std::string already_running_text(const Environment& environment) {
  return fmt::format("ERROR: node with name \"{}\" is already running on host \"{}\"",
                     environment.node_short_name(),
                     environment.node_name.substr(environment.node_name.find('@') + 1));
}

std::string boot_failed_text(std::string_view reason) {
  return fmt::format("\nBOOT FAILED\n===========\n\n{}\n", reason);
}

/// The life of one node in the foreground, or in the process that was detached.
class Run {
 public:
  Run(Settings settings, std::unique_ptr<Detachment> detachment)
      : settings_(std::move(settings)), detachment_(std::move(detachment)) {}

  int run() {
    const Environment& environment = settings_.environment;
    auto lock = DataDirLock::take(environment.data_dir);
    if (!lock)
      return refuse(lock.error().code == base::ErrorCode::already_exists
                        ? already_running_text(environment)
                        : "ERROR: " + lock.error().text);
    auto log = LogFile::open(environment.log_file);
    if (!log) return refuse("ERROR: " + log.error().text);
    set_log(**log);
    raise_file_limit();

    net::Shard shard;
    net::Signals signals(shard, {SIGTERM, SIGINT, SIGTSTP, SIGHUP},
                         [&](int signal) { on_signal(signal, **log); });
    NodeProcess process(shard, settings_);
    process_ = &process;
    process.open([&](base::Result<> result) { on_open(std::move(result), shard); });
    shard.run();
    base::log_info("the node has stopped");
    pid_file_.reset();
    base::set_log_sink(nullptr, base::LogLevel::error);
    return std::max(status_, process.exit_status());
  }

 private:
  int refuse(const std::string& text) {
    fmt::print(stderr, "{}\n", text);
    return 1;
  }

  void set_log(LogFile& log) {
    bool with_console = settings_.configuration.log_to_console && !detachment_ &&
                        settings_.environment.log_file != "-";
    base::set_log_sink(
        [&log, with_console](base::LogLevel level, std::string_view text) {
          log.write(level, text);
          if (with_console) fmt::print("{}\n", text);
        },
        settings_.configuration.log_level);
    base::log_info("Warren {} starts as {}; data in {}", version, settings_.environment.node_name,
                   settings_.environment.data_dir.string());
    for (const std::string& key : settings_.configuration.unused_keys)
      base::log_warning("the setting {} has no effect", key);
  }

  void on_signal(int signal, LogFile& log) {
    if (signal == SIGHUP) return log.reopen();
    base::log_info("signal {} received", signal);
    if (process_) process_->shut_down();
  }

  void on_open(base::Result<> result, net::Shard& shard) {
    const Environment& environment = settings_.environment;
    if (result) {
      auto pid_file = PidFile::write(environment.pid_file);
      if (pid_file)
        pid_file_ = std::move(*pid_file);
      else
        base::log_warning("{}", pid_file.error().text);
    } else {
      bool is_taken = result.error().text.starts_with("the name is registered");
      status_ =
          refuse(is_taken ? already_running_text(environment) : "ERROR: " + result.error().text);
      base::log_error("{}", result.error().text);
      return shard.stop();
    }
    if (detachment_) detachment_->report_started();
    process_->start_application([this, &shard](base::Result<> started) {
      if (started) return announce();
      if (process_was_asked_to_stop(started.error())) return;
      std::string text = boot_failed_text(started.error().text);
      base::log_error("{}", text);
      if (!detachment_) fmt::print(stderr, "{}", text);
      status_ = 1;
      shard.stop();
    });
  }

  static bool process_was_asked_to_stop(const base::Error& error) {
    return error.text == "the application was stopped";
  }

  void announce() {
    if (detachment_) return;
    const Environment& environment = settings_.environment;
    fmt::print("Warren {} runs as {}. Logs: {}\n", version, environment.node_name,
               environment.log_file == "-" ? "<stdout>" : environment.log_file);
    std::fflush(stdout);
  }

  Settings settings_;
  std::unique_ptr<Detachment> detachment_;
  std::unique_ptr<PidFile> pid_file_;
  NodeProcess* process_ = nullptr;
  int status_ = 0;
};

}  // namespace

int run_server(int argc, char** argv) {
  bool is_detached = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument == "-detached") {
      is_detached = true;
    } else {
      fmt::print(stderr, "usage: rabbitmq-server [-detached]\n");
      return 64;
    }
  }
  auto settings = read_settings();
  if (!settings) {
    fmt::print(stderr, "ERROR: {}\n", settings.error().text);
    return 1;
  }
  ::signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<Detachment> detachment;
  if (is_detached) detachment = Detachment::detach();
  return Run(std::move(*settings), std::move(detachment)).run();
}

}  // namespace warren::server
