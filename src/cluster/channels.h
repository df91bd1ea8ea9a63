#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "cluster/attachment.h"
#include "cluster/open_publishes.h"

namespace warren::cluster {

/// The channels of this node's clients: the channel's half of the Gateway. Nothing is told to a
/// channel from inside its own calls; `work` tells what has gathered.
class Channels {
 public:
  /// `first_id` is the first of a range of ids that no other node and no other run uses.
  Channels(QueueContext& context, const base::Clock& clock, ChannelId first_id,
           base::Duration request_deadline);

  ChannelId open(broker::ChannelEvents& events);
  void close(ChannelId channel);
  void publish(ChannelId channel, PublishSeq seq, const broker::Message& message,
               std::span<const QueueId> queues);
  bool is_congested(ChannelId channel);
  void subscribe(ChannelId channel, RequestId request, QueueId queue,
                 const broker::Subscription& subscription);
  void unsubscribe(ChannelId channel, RequestId request, std::string_view consumer_tag);
  void grant(ChannelId channel, std::string_view consumer_tag, std::uint32_t credit);
  void limit_unacknowledged(ChannelId channel, std::uint16_t limit);
  void settle(ChannelId channel, QueueId queue, Lease lease,
              std::span<const MessageIndex> messages, broker::Outcome outcome);
  void sync(ChannelId channel, RequestId request);
  /// A request that is one message to the queue's leader and one answer.
  void ask(ChannelId channel, RequestId request, QueueId queue, QueueRequest what);
  /// Tells the channel the answer to a request that was made elsewhere, if it is still open.
  void answer(ChannelId channel, RequestId request, base::Result<broker::Reply> reply);

  void on_message(const NodeName& from, ToChannel message);
  void on_change(const catalog::Change& change);
  /// Leaders may have come or gone.
  void refresh_all();
  void tick();
  base::Time deadline() const;
  /// Lets those go on that were held back, as many as this turn has room for. Call it once in a
  /// turn, after the channels were read, and `end_turn` before they are read again.
  void begin_turn();
  void end_turn() { copies_in_turn_ = 0; }
  /// Sends what channels have gathered for their queues; false when there was nothing.
  bool flush();
  /// Tells channels what has gathered; false when there was nothing.
  bool work();

 private:
  struct Sync {
    RequestId request;
    std::size_t waiting = 0;  ///< queues that have not answered
    std::optional<base::Error> error;
  };
  struct Place {
    Attachment attachment;
    bool is_unsent = false;    ///< listed in unsent_
    bool has_settled = false;  ///< since the last sync
    base::Time scheduled = base::never;  ///< its entry in schedule_
  };
  struct Channel {
    broker::ChannelEvents* events = nullptr;  ///< null once closed
    std::map<QueueId, Place> places;
    std::map<std::string, QueueId, std::less<>> consumers;
    OpenPublishes publishes;
    bool is_touched = false;  ///< listed in touched_
    bool was_congested = false;
    bool is_waiting = false;  ///< listed in waiting_
    std::uint16_t limit = 0;
    std::size_t copies_of_last = 0;  ///< of its last message for several queues
    std::vector<Sync> syncs;         ///< few: a session waits for one before it asks again
    std::vector<PublishSeq> confirmed;
    std::vector<PublishSeq> rejected;
  };
  using Task = std::function<void(broker::ChannelEvents&)>;

  Channel* find(ChannelId channel);
  Place& place(ChannelId id, Channel& channel, QueueId queue);
  void erase(ChannelId id, Channel& channel, QueueId queue);
  void touch(ChannelId id, Channel& channel);
  void note_unsent(ChannelId id, QueueId queue, Place& place);
  void schedule(ChannelId id, QueueId queue, Place& place);
  void refresh(ChannelId id, Channel& channel, QueueId queue, Place& place);
  void on_delivered(ChannelId id, Attachment& attachment, const ToChannel& message,
                    DeliveredBy& delivered);
  void on_replied(ChannelId id, Channel& channel, QueueId queue, const RepliedBy& replied);
  void carry_out(ChannelId id, Channel& channel, const Attachment::Effects& effects);
  void finish_publish(Channel& channel, PublishSeq seq, bool rejected);
  void finish_request(ChannelId id, Channel& channel, RequestId request,
                      base::Result<broker::Reply> reply);
  void tell(ChannelId id, Task task);
  bool is_over_limit(const Channel& channel) const;
  void tell_publishes(ChannelId id, Channel& channel);
  static void release(Channel& channel);

  QueueContext& context_;
  const base::Clock& clock_;
  ChannelId next_id_;
  base::Duration request_deadline_;
  Lease lease_;
  std::map<ChannelId, Channel> channels_;
  std::size_t copies_ = 0;          ///< under way, of all channels
  std::size_t copies_in_turn_ = 0;  ///< made of messages for several queues
  std::deque<ChannelId> waiting_;   ///< held back until there is room in a turn
  std::vector<ChannelId> touched_;  ///< have confirms to tell, or may have ended
  std::vector<std::pair<ChannelId, QueueId>> unsent_;
  /// Who is attached where, by queue.
  std::set<std::pair<QueueId, ChannelId>> attached_;
  /// When to look after an attachment at the latest; one entry each, perhaps too early.
  std::set<std::tuple<base::Time, ChannelId, QueueId>> schedule_;
  std::deque<std::pair<ChannelId, Task>> tasks_;
};

}  // namespace warren::cluster
