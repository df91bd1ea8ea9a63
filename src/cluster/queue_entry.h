#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "broker/channel.h"
#include "broker/queue_times.h"
#include "catalog/names.h"

/// The entries of a queue's log: what its leader ordered and its replicas repeat.
namespace warren::cluster {

using broker::MessageIndex;
using catalog::Epoch;
using catalog::NodeName;
using catalog::QueueId;

/// A message entered the queue. Producer and seq let a new leader recognise a publish that its
/// predecessor had taken already.
struct Enqueued {
  broker::ChannelId producer;
  broker::PublishSeq seq;
  broker::Message message;
  template <typename A>
  void fields(A& a) { a(producer, seq, message); }
};

/// Messages left the queue for good.
struct Settled {
  std::vector<MessageIndex> messages;
  template <typename A>
  void fields(A& a) { a(messages); }
};

/// Is durable when everything before it is; a transaction waits for one.
struct Barrier {
  template <typename A>
  void fields(A&) {}
};

/// Of the producer's publishes up to `seq` some were refused: a later one that was taken is no
/// proof that the others were.
struct Refused {
  broker::ChannelId producer;
  broker::PublishSeq seq;
  template <typename A>
  void fields(A& a) { a(producer, seq); }
};

/// What comes after this entry came in at that time (broker/queue_times.h).
struct Dated {
  broker::WallMs arrived_ms = 0;
  std::optional<std::uint64_t> ttl_ms;
  bool has_own = false;
  template <typename A>
  void fields(A& a) { a(arrived_ms, ttl_ms, has_own); }
};

/// A Dated at its place.
struct DatedAt {
  MessageIndex after;
  Dated dated;
  template <typename A>
  void fields(A& a) { a(after, dated); }
};

struct QueueEntry {
  Epoch epoch;
  MessageIndex index;
  std::variant<Enqueued, Settled, Barrier, Refused, Dated> what;

  /// Whether the entry goes to the disk of a durable queue's replica at all.
  bool is_written() const {
    const auto* enqueued = std::get_if<Enqueued>(&what);
    return !enqueued || enqueued->message.is_persistent();
  }
  /// Whether a replica of a durable queue acknowledges it only when it is synced.
  bool waits_for_sync() const {
    const auto* enqueued = std::get_if<Enqueued>(&what);
    return enqueued ? enqueued->message.is_persistent() : std::holds_alternative<Barrier>(what);
  }

  template <typename A>
  void fields(A& a) { a(epoch, index, what); }
};

/// From `start` on entries are of that epoch.
struct EpochStart {
  Epoch epoch;
  MessageIndex start;
  bool operator==(const EpochStart&) const = default;
  template <typename A>
  void fields(A& a) { a(epoch, start); }
};

/// The epochs of a log, oldest first.
using EpochHistory = std::vector<EpochStart>;

/// The last index up to which both logs are known to hold the same entries; zero for none. Within
/// one epoch a leader never gives an index twice, and it begins with what came before, so an index
/// of the same epoch in both means equal entries up to there. What one of them has committed says
/// nothing: entries that need no sync are committed before they are on any disk, and a leader that
/// lost them with its power gives their indexes to others.
MessageIndex find_agreement(const EpochHistory& one, MessageIndex one_last,
                            const EpochHistory& other, MessageIndex other_last);

std::vector<DatedAt> dates_of(const std::vector<broker::TimeMark>& marks);
std::vector<broker::TimeMark> marks_of(const std::vector<DatedAt>& dates);

/// The highest publish of each producer that a queue has taken; bounded, the longest silent
/// producers are forgotten.
struct ProducerMark {
  broker::ChannelId producer;
  broker::PublishSeq seq;
  template <typename A>
  void fields(A& a) { a(producer, seq); }
};

}  // namespace warren::cluster
