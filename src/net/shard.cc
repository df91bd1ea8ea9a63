#include "net/shard.h"

#include <time.h>

#include "net/shard_impl.h"

namespace warren::net {
namespace {

/// Several large bodies: what a turn and its system calls cost is shared by them. Of small messages
/// some 4,000: a queue keeps the room for those, and would ask for more, and give it back, in each
/// turn.
constexpr std::size_t read_buffer_bytes = 240 * 1024;
/// Callbacks per turn; more than that wait for the next one, so that output gets its chance.
constexpr int max_callbacks = 4096;

}  // namespace

base::Time monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return base::Time(std::chrono::seconds(now.tv_sec) +
                    std::chrono::microseconds(now.tv_nsec / 1000));
}

void ShardMailbox::post(Letter letter) {
  std::lock_guard lock(mutex_);
  if (!io_) return;
  letters_.push_back(std::move(letter));
  if (letters_.size() == 1) asio::post(*io_, [self = shared_from_this()] { self->deliver(); });
}

void ShardMailbox::close() {
  std::vector<Letter> dropped;
  std::lock_guard lock(mutex_);
  io_ = nullptr;
  dropped.swap(letters_);
}

void ShardMailbox::deliver() {
  std::vector<Letter> letters;
  {
    std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  for (Letter& letter : letters) letter();
}

Shard::Impl::Impl() : mailbox(std::make_shared<ShardMailbox>(io)), buffer(read_buffer_bytes) {}

Shard::Impl::~Impl() {
  mailbox->close();
}

void Shard::Impl::run() {
  is_running = true;
  io.restart();
  auto keep_running = asio::make_work_guard(io);
  end_turn();
  while (!is_stopped && io.run_one() != 0) {
    for (int i = 0; i < max_callbacks && io.poll_one() != 0; ++i) {
    }
    end_turn();
  }
  is_running = false;
  is_stopped = false;
}

void Shard::Impl::end_turn() {
  turn_time_ = monotonic_now();
  if (turn_end) turn_end();
  // A task may close its stream, which asks for another round: that one belongs to this turn.
  while (!tasks_.empty()) {
    running_tasks_.swap(tasks_);
    for (auto& task : running_tasks_) task->on_turn_end();
    running_tasks_.clear();
  }
  turn_time_.reset();
}

base::Time Shard::Impl::now() {
  if (!is_running) return monotonic_now();
  if (!turn_time_) turn_time_ = monotonic_now();
  return *turn_time_;
}

Shard::Shard() : impl_(std::make_unique<Impl>()) {}
Shard::~Shard() = default;

void Shard::run() {
  impl_->run();
}
void Shard::stop() {
  impl_->is_stopped = true;
}

base::WallTime Shard::wall_time() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return base::WallTime(std::chrono::seconds(now.tv_sec) +
                        std::chrono::milliseconds(now.tv_nsec / 1'000'000));
}

base::Time Shard::now() const {
  return impl_->now();
}

void Shard::set_turn_end(std::function<void()> hook) {
  impl_->turn_end = std::move(hook);
}

std::shared_ptr<Mailbox> Shard::mailbox() const {
  return impl_->mailbox;
}

}  // namespace warren::net
