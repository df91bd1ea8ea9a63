#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "broker/channel.h"
#include "cluster/dead_letter.h"
#include "cluster/queue_context.h"
#include "cluster/replica.h"

namespace warren::cluster {

/// Takes what dies in a queue to where the queue's dead go, and what is due in a queue of delayed
/// messages to where it was to go. It belongs to the queue's leader, and publishes as a channel of
/// this node does, so that a target may be led anywhere and may fail over. A message leaves the
/// queue when every target has confirmed it, or at once when it has none. What a target refuses it
/// is offered again after a while.
///
/// A bounded number of messages is under way; the others wait in the queue, on disk if need be. So
/// that no target holds up what goes to others, a message that was delayed is put off for those of
/// its targets that are down or refuse it. One that leads nowhere is put off as well until this
/// node's catalog is known to have what others may have known when they published it.
class DeadLetters final : public broker::ChannelEvents {
 public:
  DeadLetters(QueueContext& context, Replica& replica);
  ~DeadLetters() override;

  /// Sends what died and has an index up to `limit`. Appends to `gone` what is to leave the queue;
  /// wakes the queue when there is more.
  void work(const DeadLetterRule& rule, MessageIndex limit, std::vector<MessageIndex>& gone);

  /// What was put off since the last call: it is dying still, and passed.
  std::vector<MessageIndex> take_put_off() { return std::exchange(put_off_, {}); }

  void on_confirmed(std::span<const PublishSeq> publishes) override;
  void on_rejected(std::span<const PublishSeq> publishes) override;

 private:
  /// A message that not all of its targets have confirmed.
  struct Letter {
    broker::Message message;
    std::vector<QueueId> refused;  ///< to be asked again
    std::size_t waiting = 0;       ///< targets that have not answered
    bool is_delay = false;
  };
  struct Sent {
    MessageIndex index;
    QueueId target;
  };
  /// Of a message that was put off.
  struct Left {
    std::vector<QueueId> targets;  ///< empty where none was found at first
    std::uint64_t check = 0;       ///< that is to be over before it may lead nowhere
  };

  bool is_full() const;
  void send(const DeadLetterRule& rule, const broker::DyingMessage& dying,
            std::vector<MessageIndex>& gone);
  void send_to(MessageIndex index, const Letter& letter, QueueId target);
  void put_off(MessageIndex index, Left left);
  void begin_check();
  std::uint64_t checks_over() const { return checks_begun_ - (check_ && !*check_ ? 1 : 0); }
  void offer_again();
  void on_answers(std::span<const PublishSeq> publishes, bool is_refusal);

  QueueContext& context_;
  Replica& replica_;
  ChannelId channel_;
  PublishSeq last_;
  std::map<MessageIndex, Letter> letters_;
  std::size_t bytes_ = 0;  ///< of letters_
  std::map<PublishSeq, Sent> sent_;
  std::vector<MessageIndex> confirmed_;
  std::vector<MessageIndex> put_off_;
  std::map<MessageIndex, Left> left_;
  std::uint64_t checks_begun_ = 0;  ///< that the catalog is up to date
  std::shared_ptr<bool> check_;     ///< whether the last one is over; null before the first
  base::Time offer_again_at_ = base::never;
};

}  // namespace warren::cluster
