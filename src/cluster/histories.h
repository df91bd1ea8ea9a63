#pragma once

#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "broker/channel.h"
#include "broker/router.h"
#include "catalog/route_listener.h"
#include "cluster/channels.h"
#include "cluster/link_message.h"

namespace warren::cluster {

/// The latest messages of one x-recent-history exchange.
class History {
 public:
  /// Keeps the newest, at most `length` messages and max_bytes of them.
  void add(const broker::Message& message, std::size_t length);

  const std::deque<broker::Message>& messages() const { return messages_; }
  std::size_t bytes() const { return bytes_; }

  static constexpr std::size_t max_bytes = 4u << 20;

 private:
  std::deque<broker::Message> messages_;
  std::size_t bytes_ = 0;
};

/// What x-recent-history exchanges remember. Every running member has all of it, in memory only:
/// who publishes tells the others, and members with a new link tell each other all they know. Who
/// binds late gets the messages from the node that was asked to bind. On a link that does not keep
/// up they are left out, as is what would be more than max_bytes in all exchanges together.
class Histories final : public catalog::RouteListener, public broker::ChannelEvents {
 public:
  explicit Histories(QueueContext& context);
  ~Histories() override;
  Histories(const Histories&) = delete;
  Histories& operator=(const Histories&) = delete;

  /// A message was published on this node and came by the exchange.
  void remember(const catalog::ResourceName& exchange, const broker::Message& message);
  void on_message(const Remembered& remembered);
  /// There is a link to that member, which may have come up and know nothing yet.
  void on_linked(const NodeName& member);
  /// A vhost is gone, or the catalog was replaced as a whole.
  void forget_missing();

  /// Whether a change that this node proposes is a binding that is to get the history. Then
  /// `on_proposal_done` has to be called when it is applied or has failed.
  bool expect(const catalog::Command& command);
  void on_proposal_done(const catalog::Command& command);

  static constexpr std::size_t max_bytes = 64u << 20;

  // RouteListener
  void on_bound(const catalog::Binding& binding) override;
  void on_unbound(const catalog::Binding&) override {}
  void on_queue(const catalog::ResourceName&) override {}
  void on_exchange(const catalog::ResourceName& name) override;
  void on_exchange_policy(const catalog::ResourceName&) override {}
  void on_all_routes() override {}

 private:
  /// Without its arguments, which the catalog may put in another order.
  using Key = std::tuple<catalog::ResourceName, catalog::DestinationKind, std::string, std::string>;

  static Key key_of(const catalog::Binding& binding);
  bool is_history(const catalog::ResourceName& name) const;
  void add(const catalog::ResourceName& exchange, const broker::Message& message);
  void forget(std::map<catalog::ResourceName, History>::iterator history);
  void replay(const catalog::Binding& binding);
  void publish(const catalog::Binding& binding, const broker::Message& message);

  QueueContext& context_;
  std::map<catalog::ResourceName, History> histories_;
  std::size_t bytes_ = 0;
  std::multiset<Key> expected_;  ///< proposed by this node, not applied yet
  std::multiset<Key> bound_;     ///< applied, and new
  ChannelId channel_;  ///< open when there was something to replay
  PublishSeq last_publish_;
};

}  // namespace warren::cluster
