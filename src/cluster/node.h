#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "broker/channel.h"
#include "broker/queue.h"
#include "catalog/catalog.h"
#include "storage/disk.h"
#include "storage/log.h"
#include "storage/segment_store.h"

namespace warren::cluster {

enum class NodePhase {
  starting,  ///< looking for the members that it needs
  running,   ///< serves clients
  stopping,  ///< hands over its leaderships
  stopped,   ///< may be destroyed
  failed,    ///< could not start or go on; failure() says why
};

struct NodeOptions {
  catalog::NodeName name;
  /// The guest user of a node that was never in a cluster; its hash needs a salt from outside.
  catalog::User first_user;
  /// Grows with each start; the node takes the larger of this and what its disk remembers.
  catalog::Incarnation incarnation_floor;
  base::Duration wait_for_members = std::chrono::seconds(30);
  base::Duration stop_deadline = std::chrono::seconds(10);
  base::Duration request_deadline = std::chrono::seconds(15);
  /// A link that is silent for so long is cut; a member whose link stays cut that long without
  /// proof of death counts as gone where a majority of voters agrees.
  base::Duration link_silence = std::chrono::seconds(10);
  base::Duration election_timeout = std::chrono::milliseconds(500);
  storage::Log::Options log;
  storage::SegmentStore::Options segments;
  /// Bytes of messages in memory. Beyond it they are on disk only, and at twice as many publishers
  /// are held back.
  std::uint64_t memory_budget = 96u << 20;
};

/// What a node's data directory says of its place in a cluster, read while it is stopped.
struct NodeFacts {
  std::string uuid;
  catalog::NodeKind kind = catalog::NodeKind::disc;
  /// All members, this node included, as it last knew them.
  std::vector<catalog::NodeName> members;
  /// The members with a vote when it last knew; without one of them running it can't start.
  std::vector<catalog::NodeName> voters;
  bool is_virgin = true;  ///< was never started or reset since
};

/// A queue as its leader sees it, for listings.
struct QueueStatus {
  catalog::QueueId queue;
  broker::QueueCounts counts;
  std::vector<broker::ConsumerInfo> consumers;
};

/// A copy of a queue on this node, as it would be after everything that it was told.
struct ReplicaStatus {
  catalog::QueueId queue;
  bool is_usable = false;
  broker::MessageIndex last;
  broker::MessageIndex commit;
  std::vector<std::pair<broker::MessageIndex, broker::Message>> messages;
};

/// One running broker node: the catalog over Raft, the queues that it leads or replicates, and
/// the channels of its clients. A deterministic machine: the server and the simulator feed it
/// with time, link bytes and disk completions, and carry out what it puts out. One shard.
///
/// A turn: any number of calls, then `end_turn`, then take what it put out. Nothing is sent or
/// written before end_turn, so one turn shares one write and one frame batch per peer.
class Node final : public broker::Gateway {
 public:
  using ProposeDone = std::function<void(base::Result<catalog::Applied>)>;
  using QueryDone = std::function<void(base::Result<base::Bytes>)>;
  using QueryHandler = std::function<base::Bytes(base::ByteView)>;

  /// Reads what the disk says of the node, while no Node runs over it.
  static base::Result<NodeFacts> read_facts(storage::Disk& disk);
  /// The next three change what a stopped node's disk says. Each gives the log that writes the
  /// change: feed it with the disk's answers (on_disk_done) until it is_idle or failed, then drop
  /// it.
  /// Prepares an empty disk for a node that was accepted into a cluster by a member: the catalog
  /// there has its name, kind and uuid.
  static base::Result<std::unique_ptr<storage::Log>> prepare_joined(storage::Disk& disk,
                                                                    const NodeFacts& facts);
  /// The node is of that kind from its next start on; a member has put it into the catalog.
  static base::Result<std::unique_ptr<storage::Log>> prepare_kind(storage::Disk& disk,
                                                                  catalog::NodeKind kind);
  /// The next start does not wait for other members (force_boot) and forgets those in `forget`
  /// (forget_cluster_node --offline).
  static base::Result<std::unique_ptr<storage::Log>> prepare_forced_boot(
      storage::Disk& disk, std::vector<catalog::NodeName> forget);

  /// Recovers from the disk; an error names what is wrong with it. The disk and the clock must
  /// outlive the node.
  static base::Result<std::unique_ptr<Node>> start(NodeOptions options, storage::Disk& disk,
                                                   base::Random random,
                                                   const base::Clock& clock);
  ~Node() override;

  NodePhase phase() const;
  const std::string& failure() const;
  const std::string& uuid() const;
  catalog::Incarnation incarnation() const;
  /// A new, cluster-wide unique id for a client connection.
  catalog::ConnectionId make_connection_id();

  /// Time. `tick` may be called at any time and must be called when `deadline` is reached.
  void tick();
  base::Time deadline() const;
  void end_turn();

  /// Links. Each pair of members shares one authenticated, ordered byte stream, which the member
  /// with the smaller name opens. What is under way when it breaks is lost.
  std::vector<catalog::NodeName> peers_to_dial() const;
  /// True once after something has changed that tells with whom there are to be links.
  bool take_topology_changed();
  void on_link_up(const catalog::NodeName& peer);
  void on_link_bytes(const catalog::NodeName& peer, base::ByteView bytes);
  void on_link_down(const catalog::NodeName& peer);
  /// Proof that the peer's application does not run: its process is gone (connection refused and
  /// no name in epmd), or the process itself says so. Silence is no proof.
  void on_peer_dead(const catalog::NodeName& peer);
  /// What to send since the last call, one byte string per peer.
  std::vector<std::pair<catalog::NodeName, base::Bytes>> take_frames();
  /// Links to cut: silent, or refused.
  std::vector<catalog::NodeName> take_hang_ups();
  /// Bytes handed to the transport and not yet sent, so that replication to a slow peer waits.
  void set_link_backlog(const catalog::NodeName& peer, std::size_t bytes);

  void on_disk_done(storage::DiskToken token, base::Result<> result);
  void on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result);

  /// Hands over what it leads and leaves the running set; phase becomes stopped.
  void request_stop();

  /// Commands from outside channels (command line, HTTP, joins). `done` is called once.
  void propose(const catalog::Command& command, ProposeDone done);
  /// A request to the same handler on another running node, or on this one.
  void query(const catalog::NodeName& peer, base::Bytes request, QueryDone done);
  void set_query_handler(QueryHandler handler);

  /// Lets every member that is linked, now or later, know a short text; it replaces what was
  /// posted under that key, and an empty one takes it back.
  void post(const std::string& key, base::Bytes text);
  /// Called for each text of another member that is new, and with an empty one when it was taken
  /// back or the member's link broke. What is known already comes at once.
  using BulletinObserver =
      std::function<void(const catalog::NodeName&, const std::string& key, base::ByteView text)>;
  void set_bulletin_observer(BulletinObserver observer);

  std::vector<QueueStatus> led_queues() const;
  /// All copies of queues here, with their contents: for checks, not for large queues.
  std::vector<ReplicaStatus> replicas() const;
  /// The disk has hardly any room left: files of the log go as soon as they can.
  void set_disk_short(bool is_short);
  /// Called with each change of the catalog, after it was applied.
  void set_change_observer(std::function<void(const catalog::Change&)> observer);
  /// Called when the catalog was replaced as a whole, as this node had fallen far behind: no
  /// changes are told apart then.
  void set_replacement_observer(std::function<void()> observer);
  /// Members as Raft and the links see them, for cluster_status and logs.
  std::vector<catalog::NodeName> running_members() const;
  std::vector<catalog::NodeName> linked_members() const;
  /// Members that run as far as is known, and can't be reached from here: a network partition. One
  /// that has just died is not among them while the proof of it is sought.
  std::vector<catalog::NodeName> partitioned_members() const;

  // Gateway, see broker/channel.h.
  const catalog::Catalog& catalog() const override;
  const catalog::NodeName& node_name() const override;
  broker::ChannelId open_channel(broker::ChannelEvents& events) override;
  void close_channel(broker::ChannelId channel) override;
  void publish(broker::ChannelId channel, broker::PublishSeq seq, const broker::Message& message,
               std::span<const catalog::QueueId> queues) override;
  void remember(const catalog::ResourceName& exchange, const broker::Message& message) override;
  bool is_congested(broker::ChannelId channel) override;
  void subscribe(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
                 const broker::Subscription& subscription) override;
  void unsubscribe(broker::ChannelId channel, broker::RequestId request,
                   std::string_view consumer_tag) override;
  void grant(broker::ChannelId channel, std::string_view consumer_tag,
             std::uint32_t credit) override;
  void limit_unacknowledged(broker::ChannelId channel, std::uint16_t limit) override;
  void get(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
           bool no_ack) override;
  void settle(broker::ChannelId channel, catalog::QueueId queue, broker::Lease lease,
              std::span<const broker::MessageIndex> messages, broker::Outcome outcome) override;
  void sync(broker::ChannelId channel, broker::RequestId request) override;
  void count(broker::ChannelId channel, broker::RequestId request,
             catalog::QueueId queue) override;
  void purge(broker::ChannelId channel, broker::RequestId request,
             catalog::QueueId queue) override;
  void delete_queue(broker::ChannelId channel, broker::RequestId request, catalog::QueueId queue,
                    bool if_unused, bool if_empty) override;
  using broker::Gateway::change;
  void change(broker::ChannelId channel, broker::RequestId request,
              std::span<const catalog::Command> commands) override;

 private:
  class Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace warren::cluster
