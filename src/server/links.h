#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "catalog/names.h"
#include "server/node_dial.h"

namespace warren::server {

/// What the links tell the node that they belong to. It must not destroy the links inside.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual void on_link_up(const catalog::NodeName& peer) = 0;
  virtual void on_link_bytes(const catalog::NodeName& peer, base::ByteView bytes) = 0;
  virtual void on_link_down(const catalog::NodeName& peer) = 0;
  /// It is proven that the peer's application does not run.
  virtual void on_peer_dead(const catalog::NodeName& peer) = 0;
};

/// The byte streams between a node and the other members: dials some, accepts the others, and
/// finds out what became of members whose link is cut. Lives as long as the application runs.
class Links {
 public:
  /// `events` must outlive the links.
  Links(net::Shard& shard, Caller caller, LinkEvents& events);
  ~Links();

  /// Members to connect to, and members to ask only whether they run, for as long as they have
  /// no link: at once, then after 100 ms, and up to every second. Calling it with what it knows
  /// costs little.
  void set_wanted(const std::vector<catalog::NodeName>& to_dial,
                  const std::vector<catalog::NodeName>& to_probe);
  /// A link that the peer opened. It takes the place of one that is there.
  void adopt(Acquaintance acquaintance);

  void send(const catalog::NodeName& peer, base::Bytes bytes);
  void hang_up(const catalog::NodeName& peer);
  /// The links that are up, with the bytes that wait to be sent.
  std::vector<std::pair<catalog::NodeName, std::size_t>> backlogs() const;

 private:
  class Link;
  enum class Wish { none, dial, probe };
  struct Peer;

  Peer& peer(const catalog::NodeName& name);
  void wish(const catalog::NodeName& name, Wish wish);
  void attempt(const catalog::NodeName& name);
  void on_attempt_done(const catalog::NodeName& name,
                       std::expected<Acquaintance, NodeDialError> result);
  void retry_later(Peer& peer);
  void install(Peer& peer, Acquaintance acquaintance);
  void learn_port(const catalog::NodeName& name);
  void drop(const catalog::NodeName& name, const std::string& reason);

  net::Shard& shard_;
  Caller caller_;
  LinkEvents& events_;
  std::map<catalog::NodeName, std::unique_ptr<Peer>> peers_;
};

}  // namespace warren::server
