#include "server/node_directory.h"

#include <fmt/format.h>

#include "net/shard.h"
#include "server/file_disk.h"
#include "server/process.h"

namespace warren::server {
namespace {

class LogEvents final : public storage::DiskEvents {
 public:
  void on_disk_done(storage::DiskToken token, base::Result<> result) override {
    if (log) log->on_disk_done(token, std::move(result));
  }
  storage::Log* log = nullptr;
};

using Change = std::function<base::Result<std::unique_ptr<storage::Log>>(storage::Disk&)>;

/// Makes a change and runs a loop of its own until the disk has it.
base::Result<> change_disk(const Environment& environment, const Change& change) {
  net::Shard shard;
  LogEvents events;
  TRY_ASSIGN(auto disk, FileDisk::open(shard, log_directory(environment), events));
  TRY_ASSIGN(auto log, change(*disk));
  events.log = log.get();
  shard.set_turn_end([&] {
    disk->flush();
    if (log->is_idle() || log->failed()) shard.stop();
  });
  shard.run();
  if (log->failed()) return std::unexpected(*log->failed());
  return {};
}

}  // namespace

std::filesystem::path log_directory(const Environment& environment) {
  return environment.data_dir / "log";
}

base::Result<cluster::NodeFacts> read_node_facts(const Environment& environment) {
  net::Shard shard;
  LogEvents events;
  TRY_ASSIGN(auto disk, FileDisk::open(shard, log_directory(environment), events));
  return cluster::Node::read_facts(*disk);
}

base::Result<> forget_everything(const Environment& environment) {
  return FileDisk::wipe(log_directory(environment));
}

base::Result<> become_member(const Environment& environment, const cluster::NodeFacts& facts) {
  TRY(forget_everything(environment));
  return change_disk(environment, [&facts](storage::Disk& disk) {
    return cluster::Node::prepare_joined(disk, facts);
  });
}

base::Result<> change_kind(const Environment& environment, catalog::NodeKind kind) {
  return change_disk(
      environment, [kind](storage::Disk& disk) { return cluster::Node::prepare_kind(disk, kind); });
}

base::Result<> force_boot(const Environment& environment, std::vector<catalog::NodeName> forget) {
  return change_disk(environment, [&forget](storage::Disk& disk) {
    return cluster::Node::prepare_forced_boot(disk, std::move(forget));
  });
}

base::Result<> force_boot_of_dead_node(const Environment& environment,
                                       std::vector<catalog::NodeName> forget) {
  std::error_code ignored;
  if (!std::filesystem::exists(environment.data_dir, ignored))
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("there is no node in {}", environment.data_dir.string()));
  TRY_ASSIGN(auto lock, DataDirLock::take(environment.data_dir));
  return force_boot(environment, std::move(forget));
}

}  // namespace warren::server
