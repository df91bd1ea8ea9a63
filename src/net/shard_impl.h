#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "net/asio.h"
#include "net/mailbox.h"
#include "net/shard.h"

namespace warren::net {

class ShardMailbox;

/// Something that has work left to do at the end of the turn: output to write, reading to start.
class TurnTask {
 public:
  virtual ~TurnTask() = default;
  virtual void on_turn_end() = 0;
};

class Shard::Impl {
 public:
  Impl();
  ~Impl();

  void run();
  /// Each task once per turn; the caller sees to that.
  void at_turn_end(std::shared_ptr<TurnTask> task) { tasks_.push_back(std::move(task)); }

  base::Time now();

  asio::io_context io{1};
  bool is_running = false;
  bool is_stopped = false;
  std::function<void()> turn_end;
  std::shared_ptr<ShardMailbox> mailbox;
  /// Where every stream of the shard reads to.
  std::vector<char> buffer;
  /// Where streams with TLS decrypt to.
  base::Bytes plaintext;

 private:
  void end_turn();

  /// Unset until the turn first asks: the wait before it may have been long.
  std::optional<base::Time> turn_time_;
  std::vector<std::shared_ptr<TurnTask>> tasks_;
  std::vector<std::shared_ptr<TurnTask>> running_tasks_;
};

/// Letters wait in a vector under a lock; the first one of a batch wakes the shard.
class ShardMailbox final : public Mailbox, public std::enable_shared_from_this<ShardMailbox> {
 public:
  explicit ShardMailbox(asio::io_context& io) : io_(&io) {}

  void post(Letter letter) override;
  void close();

 private:
  void deliver();

  std::mutex mutex_;
  asio::io_context* io_;
  std::vector<Letter> letters_;
};

}  // namespace warren::net
