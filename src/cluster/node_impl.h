#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/router.h"
#include "cluster/channels.h"
#include "cluster/facts.h"
#include "cluster/histories.h"
#include "cluster/membership.h"
#include "cluster/metadata.h"
#include "cluster/node.h"
#include "cluster/queue_host.h"

namespace warren::cluster {

/// What recovery reads from a node's log, apart from the queues.
struct RecoveredNode {
  std::optional<FactsRecord> facts;
  raft::PersistentState raft;
  storage::Recovered log;
};

/// Puts the parts of a node together: carries messages between them and the links, and lets them
/// work until nothing is left to do in a turn.
class Node::Impl final : public QueueContext {
 public:
  Impl(NodeOptions options, storage::Disk& disk, base::Random random, const base::Clock& clock);

  /// The queues use the rest to their end.
  ~Impl() override { host_.reset(); }

  base::Result<> start();

  // QueueContext.
  const NodeName& self() const override { return options_.name; }
  const catalog::Catalog& catalog() const override { return metadata_->catalog(); }
  void send(const NodeName& to, LinkMessage message) override;
  bool is_linked(const NodeName& member) const override;
  std::size_t link_backlog(const NodeName& member) const override;
  bool must_wait_for_memory(QueueId queue) override {
    return host_->must_wait_for_memory(queue);
  }
  const base::Clock& clock() const override { return clock_; }
  void wake(QueueId queue) override { host_->wake(queue); }
  void wake_at(QueueId queue, base::Time at) override { host_->wake_at(queue, at); }
  broker::Router& router() override;
  Channels& channels() override { return *channels_; }
  void remember(const catalog::ResourceName& exchange, const broker::Message& message) override;
  void propose(const catalog::Command& command, Done done) override;
  void catch_up(std::function<void()> done) override;

  // Time and turns.
  void tick();
  base::Time now() const { return clock_.now(); }
  base::Time deadline() const;
  void end_turn();
  void on_disk_done(storage::DiskToken token, base::Result<> result);
  void on_disk_read(storage::DiskToken token, base::Result<base::Bytes> result);
  void request_stop();

  void propose_with_deadline(const catalog::Command& command, ProposeDone done);
  void change(broker::ChannelId channel, broker::RequestId request,
              std::span<const catalog::Command> commands);
  catalog::ConnectionId make_connection_id();

  // Links, in node_links.cc.
  std::vector<NodeName> peers_to_dial() const;
  bool take_topology_changed() { return std::exchange(is_topology_changed_, false); }
  void on_link_up(const NodeName& peer);
  void on_link_bytes(const NodeName& peer, base::ByteView bytes);
  void on_link_down(const NodeName& peer);
  void on_peer_dead(const NodeName& peer);
  std::vector<std::pair<NodeName, base::Bytes>> take_frames();
  std::vector<NodeName> take_hang_ups();
  void set_link_backlog(const NodeName& peer, std::size_t bytes);
  void set_disk_short(bool is_short) { log_->set_frugal(is_short); }
  void query(const NodeName& peer, base::Bytes request, QueryDone done);
  void post(const std::string& key, base::Bytes text);
  void set_bulletin_observer(BulletinObserver observer);

  NodeOptions options_;
  NodePhase phase_ = NodePhase::starting;
  std::string failure_;
  FactsRecord facts_;
  std::uint64_t last_connection_ = 0;
  std::unique_ptr<Metadata> metadata_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<QueueHost> host_;
  std::unique_ptr<Channels> channels_;
  std::unique_ptr<Histories> histories_;
  QueryHandler query_handler_;
  std::function<void(const catalog::Change&)> observer_;
  std::function<void()> replacement_observer_;

 private:
  using Bulletins = std::map<std::string, base::Bytes>;
  struct Link {
    LinkParser parser;
    base::Bytes out;
    std::size_t backlog = 0;
    base::Time last_heard;
    base::Time last_sent;
    bool is_accepted = false;  ///< the peer said hello and is a member
    bool has_refused = false;  ///< it says that this node is no member of its cluster
    std::optional<Hello> refused_hello;  ///< of a peer that this node did not know as a member
    std::optional<Members> members;      ///< as the peer knows them
    catalog::Incarnation incarnation;
    Bulletins bulletins;  ///< of the peer
  };
  struct PendingQuery {
    base::Time deadline;
    NodeName peer;
    QueryDone done;
  };

  base::Result<> make_parts(RecoveredNode recovered);
  std::uint64_t id_base() const;
  void make_first(RecoveredNode& recovered);
  void on_changed(const std::vector<catalog::Change>& changes);
  void on_replaced();
  void update_members();
  void advance_phase();
  void begin_running();
  base::Time give_up_at() const;
  void force_if_alone();
  void elect_forced();
  void fail(std::string text);
  std::string waiting_text() const;
  std::size_t running_others() const;
  void hand_over_vote();
  void note_silence();
  bool is_ending_log() const { return log_end_ != LogEnd::open; }
  bool is_log_ended();
  void work_turn();

  // node_links.cc
  void on_message(const NodeName& peer, LinkMessage message);
  void on_hello(const NodeName& peer, const Hello& hello);
  Members members() const;
  void on_members(const NodeName& peer, Members members);
  void tell_members();
  bool is_vouched_for(const NodeName& peer, const Hello& hello) const;
  void reconsider_refused();
  void forget_old_refusals();
  std::optional<std::string> refusal(const NodeName& peer, const Hello& hello) const;
  void on_query(const NodeName& peer, Query query);
  void on_query_reply(const QueryReply& reply);
  void on_bulletin(const NodeName& peer, Bulletin bulletin);
  void tick_links();
  base::Time links_deadline() const;

  std::unique_ptr<broker::Router> router_;  ///< made when it is first asked for
  storage::Disk& disk_;
  base::Random random_;
  const base::Clock& clock_;
  base::Time started_;
  base::Time stop_by_ = base::never;
  std::optional<base::Time> refused_since_;
  std::string refusal_text_;
  bool are_members_changed_ = false;  ///< to be told, and refused links are to be looked at again
  bool is_topology_changed_ = true;   ///< members, which of them run or are linked, our phase
  bool is_forced_ = false;
  /// When to write down how far the log is durable, unless more is written before.
  base::Time mark_at_ = base::never;
  storage::LogPosition marked_end_;
  enum class LogEnd { open, flushed, marked } log_end_ = LogEnd::open;
  storage::LogPosition start_;  ///< synced before the node runs
  bool is_recovered_state_new_ = false;
  bool is_down_applied_ = false;
  std::unique_ptr<storage::Log> log_;
  std::unique_ptr<storage::SegmentStore> segments_;
  std::map<NodeName, Link> links_;
  std::vector<NodeName> hang_ups_;
  std::vector<std::pair<NodeName, LinkMessage>> inbox_;  ///< of this node to itself
  std::vector<std::pair<NodeName, LinkMessage>> reading_;  ///< kept for its memory
  Bulletins bulletins_;  ///< of this node
  BulletinObserver bulletin_observer_;
  std::uint64_t last_query_ = 0;
  std::map<std::uint64_t, PendingQuery> queries_;
};

/// Reads everything but the queues' records, which go to `host` when it is not null.
base::Result<RecoveredNode> recover_node(storage::Disk& disk, QueueHost* host);

}  // namespace warren::cluster
