#include "session/exclusive_queues.h"

#include <chrono>

#include "base/log.h"

namespace warren::session::amqp091 {

namespace {
constexpr base::Duration retry_delay = std::chrono::seconds(5);
}

ExclusiveQueues& exclusive_queues_of(Conversation& talk) {
  if (!talk.exclusive_queues) talk.exclusive_queues = std::make_unique<ExclusiveQueues>(talk);
  return *talk.exclusive_queues;
}

ExclusiveQueues::~ExclusiveQueues() {
  if (channel_) talk_.environment.gateway.close_channel(channel_);
}

void ExclusiveQueues::declare(broker::ChannelEvents& asker, broker::RequestId request,
                              const catalog::DeclareQueue& command) {
  broker::Gateway& gateway = talk_.environment.gateway;
  if (!channel_) channel_ = gateway.open_channel(*this);
  has_queues_ = true;
  askers_[request] = &asker;
  gateway.change(channel_, request, command);
}

void ExclusiveQueues::forget(broker::ChannelEvents& asker) {
  for (auto& [request, waiting] : askers_)
    if (waiting == &asker) waiting = nullptr;
}

void ExclusiveQueues::delete_all() {
  if (is_deleting_ || !has_queues_) return;
  is_deleting_ = true;
  // A declare that is under way is waited for: it would make a queue that nobody deletes.
  if (askers_.empty()) ask_to_delete();
}

void ExclusiveQueues::ask_to_delete() {
  deletion_ = talk_.next_request();
  talk_.environment.gateway.change(channel_, deletion_,
                                   catalog::DeleteExclusiveQueues{talk_.connection});
}

void ExclusiveQueues::tick(base::Time now) {
  now_ = now;
  if (now < retry_at_) return;
  retry_at_ = base::never;
  ask_to_delete();
}

void ExclusiveQueues::on_reply(broker::RequestId request, base::Result<broker::Reply> reply) {
  talk_.note_event();
  if (is_deleting_ && request == deletion_) {
    if (reply) {
      is_deleting_ = false;
      has_queues_ = false;
      return;
    }
    base::log_warning("exclusive queues of connection {} can't be deleted yet: {}", talk_.name(),
                      reply.error().text);
    retry_at_ = now_ + retry_delay;
    return;
  }
  auto asker = askers_.extract(request);
  if (!asker.empty() && asker.mapped() != nullptr)
    asker.mapped()->on_reply(request, std::move(reply));
  if (is_deleting_ && askers_.empty()) ask_to_delete();
}

}  // namespace warren::session::amqp091
