#include <chrono>
#include <utility>

#include "catalog/delaying.h"
#include "cluster/queue_leader.h"

/// The leader of a queue of delayed messages.
namespace warren::cluster {
namespace {

/// No longer than that without a look at the clock on the wall: it may be set.
constexpr broker::WallMs longest_sleep_ms = 60'000;

}  // namespace

void QueueLeader::hold_back_if_delaying() {
  const catalog::Queue* queue = record();
  if (queue && catalog::is_delay_queue(queue->name.name))
    delays_ = std::make_unique<Delays>(replica_);
}

/// Whether clients may use the queue.
base::Result<> QueueLeader::check_open() const {
  if (!delays_) return {};
  return catalog::check_no_delay_queue(record()->name);
}

/// Before the dead are buried.
void QueueLeader::end_due() {
  if (delays_->work(wall_ms(), deliverable())) context_.wake(replica_.id());
}

/// After that.
void QueueLeader::wake_for_due() {
  const broker::WallMs now = wall_ms(), due = delays_->next_due();
  if (due > now) {
    if (due == broker::never_ms) return;
    const auto left = std::chrono::milliseconds(std::min(due - now, longest_sleep_ms));
    return context_.wake_at(replica_.id(), context_.clock().now() + left);
  }
  // Without room they wait for those before them.
  if (!delays_->is_full()) context_.wake(replica_.id());
}

}  // namespace warren::cluster
