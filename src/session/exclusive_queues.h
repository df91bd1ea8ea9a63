#pragma once

#include <map>

#include "base/time.h"
#include "broker/channel.h"
#include "session/conversation.h"

namespace warren::session::amqp091 {

/// Declares the exclusive queues of a connection and deletes them when it ends. Both go through
/// one gateway channel of their own, so that no declare can come after the deletion, even when
/// the channel that asked for it has gone.
class ExclusiveQueues final : public broker::ChannelEvents {
 public:
  explicit ExclusiveQueues(Conversation& talk) : talk_(talk) {}
  ~ExclusiveQueues() override;

  /// Declares for `asker`, which hears the answer as its own on_reply.
  void declare(broker::ChannelEvents& asker, broker::RequestId request,
               const catalog::DeclareQueue& command);
  /// `asker` hears nothing any more.
  void forget(broker::ChannelEvents& asker);

  /// Starts deleting everything; does nothing when that was started before.
  void delete_all();
  /// Nothing is to be waited for before the client is told that its connection is closed.
  bool is_settled() const { return is_idle() || retry_at_ != base::never; }
  /// False while answers are awaited, or a deletion has still to succeed.
  bool is_idle() const { return askers_.empty() && !is_deleting_; }

  /// A deletion that failed is tried again at `deadline`, for queues of a dead connection would
  /// never be deleted otherwise.
  void tick(base::Time now);
  base::Time deadline() const { return retry_at_; }

 private:
  void on_reply(broker::RequestId request, base::Result<broker::Reply> reply) override;

  void ask_to_delete();

  Conversation& talk_;
  broker::ChannelId channel_;
  std::map<broker::RequestId, broker::ChannelEvents*> askers_;
  broker::RequestId deletion_;
  bool has_queues_ = false;
  bool is_deleting_ = false;
  base::Time retry_at_ = base::never;
  base::Time now_{};
};

/// Makes them if there are none yet.
ExclusiveQueues& exclusive_queues_of(Conversation& talk);

}  // namespace warren::session::amqp091
