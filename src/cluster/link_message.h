#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "broker/channel.h"
#include "cluster/queue_entry.h"
#include "cluster/queue_message.h"

/// What members say to each other over their link (docs/formats/link.md). The same structures
/// pass between a channel and a queue on one node, without being encoded.
namespace warren::cluster {

// Membership.

/// The first message of each side.
struct Hello {
  std::string uuid;
  catalog::Incarnation incarnation;
  template <typename A>
  void fields(A& a) { a(uuid, incarnation); }
};
/// The other side is not a member here; the link is of no use.
struct HelloRefused {
  std::string text;
  template <typename A>
  void fields(A& a) { a(text); }
};
/// Who belongs to the cluster, as of an entry of the catalog's log. A node without that entry
/// learns here whom to let in: perhaps the very leader that is to bring it.
struct Members {
  struct Member {
    NodeName name;
    std::string uuid;
    template <typename A>
    void fields(A& a) { a(name, uuid); }
    bool operator==(const Member&) const = default;
  };
  std::uint64_t generation = 0;
  std::uint64_t applied = 0;
  std::vector<Member> members;
  template <typename A>
  void fields(A& a) { a(generation, applied, members); }
};
struct Ping {
  template <typename A>
  void fields(A&) {}
};
/// The node is stopping in an orderly way.
struct Leaving {
  template <typename A>
  void fields(A&) {}
};

// The catalog.

struct RaftFrame {
  base::Bytes message;
  template <typename A>
  void fields(A& a) { a(message); }
};
/// To the node that leads the catalog's group. `number` is unique for the sender's incarnation.
struct Propose {
  std::uint64_t number = 0;
  std::vector<base::Bytes> commands;  ///< up to the first that is refused
  template <typename A>
  void fields(A& a) { a(number, commands); }
};

// Questions between nodes for listings.

struct Query {
  std::uint64_t number = 0;
  base::Bytes request;
  template <typename A>
  void fields(A& a) { a(number, request); }
};
struct QueryReply {
  std::uint64_t number = 0;
  base::Bytes reply;
  template <typename A>
  void fields(A& a) { a(number, reply); }
};

/// What the sender lets everybody know; replaces what it said before under that key. An empty text
/// takes it back, as does the end of the link.
struct Bulletin {
  std::string key;
  base::Bytes text;
  template <typename A>
  void fields(A& a) { a(key, text); }
};

// Replication, between a queue's leader and its followers.

/// A follower asks for everything after what it has.
struct FollowRequest {
  QueueId queue;
  Epoch epoch;
  bool is_usable = false;  ///< false: it needs a snapshot
  MessageIndex last;
  EpochHistory epochs;
  template <typename A>
  void fields(A& a) { a(queue, epoch, is_usable, last, epochs); }
};
/// Cut back to `agreed`; Append goes on from there.
struct FollowFrom {
  QueueId queue;
  Epoch epoch;
  MessageIndex agreed;
  template <typename A>
  void fields(A& a) { a(queue, epoch, agreed); }
};
struct SnapshotStart {
  QueueId queue;
  Epoch epoch;
  template <typename A>
  void fields(A& a) { a(queue, epoch); }
};
struct SnapshotMessage {
  MessageIndex index;
  broker::Message message;
  template <typename A>
  void fields(A& a) { a(index, message); }
};
struct SnapshotChunk {
  QueueId queue;
  Epoch epoch;
  std::vector<SnapshotMessage> messages;
  template <typename A>
  void fields(A& a) { a(queue, epoch, messages); }
};
struct SnapshotEnd {
  QueueId queue;
  Epoch epoch;
  MessageIndex last;  ///< the snapshot is the state after this entry
  EpochHistory epochs;
  std::vector<ProducerMark> producers;
  std::vector<ProducerMark> refusals;
  std::vector<DatedAt> dates;
  template <typename A>
  void fields(A& a) { a(queue, epoch, last, epochs, producers, refusals, dates); }
};
struct Append {
  QueueId queue;
  Epoch epoch;
  MessageIndex after;   ///< the follower's last entry must be this one
  MessageIndex commit;
  std::vector<QueueEntry> entries;
  template <typename A>
  void fields(A& a) { a(queue, epoch, after, commit, entries); }
};
/// Everything up to `acked` is safe on the follower.
struct AppendAck {
  QueueId queue;
  Epoch epoch;
  MessageIndex acked;
  template <typename A>
  void fields(A& a) { a(queue, epoch, acked); }
};

// The histories of exchanges.

/// Messages that an x-recent-history exchange remembers: a new one, or all that the sender has.
struct Remembered {
  std::string vhost;
  std::string exchange;
  bool is_all = false;
  std::vector<broker::Message> messages;
  template <typename A>
  void fields(A& a) { a(vhost, exchange, is_all, messages); }
};

using LinkMessage =
    std::variant<Hello, HelloRefused, Members, Ping, Leaving, RaftFrame, Propose, Query, QueryReply,
                 FollowRequest, FollowFrom, SnapshotStart, SnapshotChunk, SnapshotEnd, Append,
                 AppendAck, ToQueue, ToChannel, Remembered, Bulletin>;

/// Most bytes of one message on a link.
inline constexpr std::size_t max_link_message_bytes = 512u << 20;

/// Appends the message with its four length octets.
void encode_link_message(base::Bytes& out, LinkMessage& message);
base::Result<LinkMessage> decode_link_message(base::ByteView bytes);

/// Puts messages together from the bytes of one link.
class LinkParser {
 public:
  /// Adds bytes; `take` then gives the complete messages, oldest first.
  void feed(base::ByteView bytes) { buffer_.append(bytes); }
  /// Empty when there is no complete message; an error when the bytes can't be a message.
  base::Result<std::optional<LinkMessage>> take();

 private:
  base::Bytes buffer_;
  std::size_t taken_ = 0;
};

}  // namespace warren::cluster
