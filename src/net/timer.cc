#include "net/timer.h"

#include "net/shard_impl.h"

namespace warren::net {

class Timer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Shard& shard, std::function<void()> callback)
      : timer_(shard.impl().io), callback_(std::move(callback)) {}

  void set(base::Time when) {
    if (when == when_) return;
    when_ = when;
    // Only a wait that would end too late has to be ended now; an early one waits again.
    if (when == base::never || (is_waiting_ && waits_for_ <= when)) return;
    wait();
  }
  /// The callback itself stays until the last wait has ended, for it may be what destroys us.
  void abandon() {
    is_abandoned_ = true;
    when_ = base::never;
    timer_.cancel();
  }

 private:
  void wait() {
    waits_for_ = when_;
    is_waiting_ = true;
    ++wait_number_;
    timer_.expires_at(asio::steady_timer::time_point(when_.time_since_epoch()));
    timer_.async_wait([self = shared_from_this(), number = wait_number_](error_code) {
      self->on_wait_ended(number);
    });
  }
  void on_wait_ended(std::uint64_t number) {
    if (number != wait_number_) return;
    is_waiting_ = false;
    if (when_ == base::never || is_abandoned_) return;
    if (when_ > monotonic_now()) return wait();
    when_ = base::never;
    callback_();
  }

  asio::steady_timer timer_;
  std::function<void()> callback_;
  base::Time when_ = base::never;
  base::Time waits_for_ = base::never;
  bool is_waiting_ = false;
  bool is_abandoned_ = false;
  std::uint64_t wait_number_ = 0;
};

Timer::Timer(Shard& shard, std::function<void()> callback)
    : impl_(std::make_shared<Impl>(shard, std::move(callback))) {}
Timer::~Timer() {
  impl_->abandon();
}
void Timer::set(base::Time when) {
  impl_->set(when);
}

class Signals::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Shard& shard, std::function<void(int)> callback)
      : signals_(shard.impl().io), callback_(std::move(callback)) {}

  void start(std::initializer_list<int> signals) {
    for (int signal : signals) signals_.add(signal);
    wait();
  }
  void abandon() {
    is_abandoned_ = true;
    error_code ignored;
    signals_.cancel(ignored);
  }

 private:
  void wait() {
    signals_.async_wait([self = shared_from_this()](error_code error, int signal) {
      if (error || self->is_abandoned_) return;
      self->callback_(signal);
      if (!self->is_abandoned_) self->wait();
    });
  }

  asio::signal_set signals_;
  std::function<void(int)> callback_;
  bool is_abandoned_ = false;
};

Signals::Signals(Shard& shard, std::initializer_list<int> signals,
                 std::function<void(int)> callback)
    : impl_(std::make_shared<Impl>(shard, std::move(callback))) {
  impl_->start(signals);
}
Signals::~Signals() {
  impl_->abandon();
}

}  // namespace warren::net
