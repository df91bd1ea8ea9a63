#include <algorithm>
#include <chrono>

#include "catalog/delaying.h"
#include "cluster/queue_leader.h"

/// The leader of a queue of delayed messages.
namespace warren::cluster {
namespace {

/// No longer than that without a look at the clock on the wall: it may be set.
constexpr broker::WallMs longest_sleep_ms = 60'000;
constexpr base::Duration least_pause = std::chrono::milliseconds(1);

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

/// Others have their turn, too, before the next messages.
void QueueLeader::work_on_delays() {
  const base::Time turn = context_.clock().now();
  const bool has_more = delays_->work(turn, wall_ms(), deliverable());
  bury();
  if (has_more) return context_.wake_at(replica_.id(), turn + least_pause);
  const broker::WallMs now = wall_ms(), due = delays_->next_due();
  if (due == broker::never_ms) return;
  if (due > now) {
    const auto left = std::chrono::milliseconds(std::min(due - now, longest_sleep_ms));
    return context_.wake_at(replica_.id(), turn + left);
  }
  // Without room they wait for those before them.
  if (!delays_->is_full()) context_.wake(replica_.id());
}

}  // namespace warren::cluster
