#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/permission.h"
#include "broker/router.h"
#include "cluster/node.h"
#include "counters/conversation.h"
#include "session/connection.h"
#include "storage/memory_disk.h"

namespace warren::counters {

/// A whole node in this thread, from the bytes of its clients to a disk in memory. It has one
/// producer and one consumer of one queue; a turn is like one of the server's.
class Broker final : public base::Clock, public storage::DiskEvents {
 public:
  explicit Broker(const Load& load);
  ~Broker() override;

  /// The producer publishes, and everything happens that follows from it.
  void run_turn();

  std::uint64_t delivered() const { return ear_.delivered(); }
  std::uint64_t confirmed() const { return ear_.confirmed(); }
  const storage::MemoryDisk& disk() const { return disk_; }
  /// The length of all files together.
  std::uint64_t disk_bytes() const;

  base::Time now() const override { return now_; }
  base::WallTime wall_time() const override {
    return base::WallTime(std::chrono::floor<std::chrono::milliseconds>(
        std::chrono::years(50) + now().time_since_epoch()));
  }
  void on_disk_done(storage::DiskToken token, base::Result<> result) override;

 private:
  struct Client;

  void connect(Client& client);
  void say(Client& client, base::ByteView bytes);
  /// Turns until nothing is left to do.
  void settle();

  Load load_;
  base::Time now_{std::chrono::hours(1)};
  storage::MemoryDisk disk_;
  std::unique_ptr<cluster::Node> node_;
  std::unique_ptr<broker::Router> router_;
  std::unique_ptr<broker::Authorizer> authorizer_;
  std::unique_ptr<session::amqp091::Environment> environment_;
  std::unique_ptr<Client> producer_;
  std::unique_ptr<Client> consumer_;
  base::Bytes publishes_;
  Ear ear_;
};

}  // namespace warren::counters
