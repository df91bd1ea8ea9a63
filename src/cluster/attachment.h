#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ring.h"
#include "base/time.h"
#include "cluster/queue_context.h"

namespace warren::cluster {

/// A channel's side of one queue: what it has asked and published there and what is not answered
/// yet, so that all of it can be said again to the next leader when one is lost.
///
/// Publishes and settlements gather until `flush`, until something else is said to the queue, or
/// until the publishes are max_batch_bytes long.
class Attachment {
 public:
  /// What the attachment tells its channel.
  struct Effects {
    std::vector<PublishSeq> confirmed;
    std::vector<PublishSeq> rejected;
    std::vector<std::string> cancelled;  ///< consumer tags
    struct Failed {
      RequestId request;
      base::Error error;
      bool is_get = false;
    };
    std::vector<Failed> failed;
    std::vector<RequestId> done;  ///< answered although the leader will not
  };

  Attachment(QueueContext& context, ChannelId channel, QueueId queue)
      : context_(context), channel_(channel), queue_(queue) {}

  void publish(PublishSeq seq, const broker::Message& message);
  void ask(RequestId request, QueueRequest what, base::Time deadline);
  void grant(const std::string& consumer_tag, std::uint32_t credit);
  void limit(std::uint16_t limit);
  void settle(Lease lease, std::span<const MessageIndex> messages, broker::Outcome outcome);
  /// Sends what has gathered.
  void flush();
  /// The channel ends: what was published still goes to the queue, all else is given up.
  void close();
  bool is_idle() const;
  bool is_attached() const { return is_attached_; }

  /// An event of the leader under `lease`; false when that lease is over.
  bool is_current(Lease lease) const { return is_attached_ && lease == lease_; }
  Lease lease() const { return lease_; }
  void on_confirmed(const ConfirmedBy& event, Effects& effects);
  void on_rejected(const RejectedBy& event, Effects& effects);
  /// Answers of the leader; false when nobody waits for that request (any more).
  bool on_answered(RequestId request, bool succeeded);
  void on_delivered(const DeliveredBy& event);
  void on_cancelled(const CancelledBy& event) { consumers_.erase(event.consumer_tag); }
  void on_not_leading(base::Time now);

  /// The catalog, a link or time changed: attaches where the leader is now, gives up what can't be
  /// had any more. `next_lease` is used and advanced for a new attachment.
  void refresh(Lease& next_lease, base::Time now, Effects& effects);
  void expire(base::Time now, Effects& effects);
  base::Time deadline() const;
  /// The queue was deleted.
  void on_removed(Effects& effects);

 private:
  struct Asked {
    QueueRequest what;
    base::Time deadline;
    bool is_in_vain = false;  ///< a sync of what is lost already
  };
  struct Consumer {
    broker::Subscription subscription;  ///< `credit` is what is left
  };

  void send(QueueRequest request);
  void finish(const std::vector<PublishSeq>& publishes, std::vector<PublishSeq>& finished);
  void gather(Publish publish);
  void attach(const catalog::Queue& queue, Lease lease, Effects& effects);
  void leave();
  void give_up(const catalog::Queue& queue, Effects& effects);
  void fail_syncs(bool all, Effects& effects);

  QueueContext& context_;
  ChannelId channel_;
  QueueId queue_;
  Lease lease_;
  Epoch epoch_;
  NodeName leader_;
  std::string described_;  ///< "queue 'q' in vhost '/'"
  bool is_attached_ = false;
  bool was_attached_ = false;
  bool has_sent_ = false;  ///< under this lease
  bool is_closing_ = false;
  bool has_settled_ = false;      ///< under this lease, and no sync was asked for since
  bool has_lost_settles_ = false; ///< the next sync must fail
  base::Time attach_again_{};
  std::uint16_t limit_ = 0;
  base::Ring<Publish> unconfirmed_;
  std::map<RequestId, Asked> asked_;
  std::map<std::string, Consumer> consumers_;
  PublishTo publishes_;  ///< to be sent; they are in unconfirmed_ too
  std::size_t publishes_bytes_ = 0;
  SettleTo settles_;  ///< to be sent
};

}  // namespace warren::cluster
