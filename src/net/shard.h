#pragma once

#include <functional>
#include <memory>

#include "base/time.h"

namespace warren::net {

class Mailbox;

/// One thread's event loop. Everything made on a shard (streams, listeners, dials, timers) lives
/// on its thread and must be destroyed before it; only `Mailbox` may be used from elsewhere.
///
/// A turn: wait until something is ready, run the callbacks of all that is ready (each stream
/// reads at most once), run the end-of-turn hook, then write what streams were given to send.
class Shard final : public base::Clock {
 public:
  Shard();
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Runs turns on the calling thread until `stop` is called.
  void run();
  /// Ends `run` after the current turn, or a later `run` after its first turn. To be called on
  /// the shard's thread.
  void stop();

  /// When the current turn began. Outside of `run`: the time now.
  base::Time now() const override;
  base::WallTime wall_time() const override;
  /// Called at the end of each turn, before output is written. It may send on streams.
  void set_turn_end(std::function<void()> hook);

  /// The way to this shard from other threads; it lives as long as somebody holds it.
  std::shared_ptr<Mailbox> mailbox() const;

  /// For the sources of this module.
  class Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// The monotonic clock of the operating system, on which all shards agree.
base::Time monotonic_now();

}  // namespace warren::net
