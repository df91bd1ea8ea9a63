#include "server/links.h"

#include <algorithm>

#include "base/log.h"

namespace warren::server {
namespace {

/// A process that was killed a moment ago may close this link before it closes its port.
constexpr std::chrono::milliseconds first_delay(5);
constexpr std::chrono::milliseconds longest_dial_delay(1000);
constexpr std::chrono::milliseconds longest_probe_delay(200);
constexpr std::chrono::seconds lookup_patience(3);

bool is_proof(NodeDialFailure failure) {
  return failure == NodeDialFailure::process_gone ||
         failure == NodeDialFailure::application_stopped;
}

bool contains(const std::vector<catalog::NodeName>& names, const catalog::NodeName& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

/// One connection that is up.
class Links::Link final : public net::StreamEvents {
 public:
  Link(Links& links, catalog::NodeName peer, std::unique_ptr<net::TcpStream> stream)
      : links_(links), peer_(std::move(peer)), stream_(std::move(stream)) {
    stream_->start(*this);
  }

  void on_bytes(base::ByteView bytes) override { links_.events_.on_link_bytes(peer_, bytes); }
  void on_closed(const std::string& reason) override {
    Links& links = links_;
    links.drop(catalog::NodeName(peer_), reason);
  }
  net::TcpStream& stream() { return *stream_; }

 private:
  Links& links_;
  catalog::NodeName peer_;
  std::unique_ptr<net::TcpStream> stream_;
};

/// What is known of one other member.
struct Links::Peer {
  explicit Peer(net::Shard& shard, std::function<void()> on_retry)
      : retry_timer(shard, std::move(on_retry)) {}
  Wish wish = Wish::none;
  std::unique_ptr<Link> link;
  std::unique_ptr<NodeDial> attempt;
  /// Only learns where a peer listens that has connected to us.
  std::unique_ptr<EpmdLookup> port_lookup;
  net::Timer retry_timer;
  base::Duration delay{};
  std::optional<std::uint16_t> known_port;
  std::string last_complaint;
};

Links::Links(net::Shard& shard, Caller caller, LinkEvents& events)
    : shard_(shard), caller_(std::move(caller)), events_(events) {}
Links::~Links() = default;

Links::Peer& Links::peer(const catalog::NodeName& name) {
  auto& found = peers_[name];
  if (!found) found = std::make_unique<Peer>(shard_, [this, name] { attempt(name); });
  return *found;
}

void Links::set_wanted(const std::vector<catalog::NodeName>& to_dial,
                       const std::vector<catalog::NodeName>& to_probe) {
  for (auto& [name, known] : peers_) {
    if (known->wish == Wish::none || contains(to_dial, name) || contains(to_probe, name)) continue;
    known->wish = Wish::none;
    known->attempt.reset();
    known->retry_timer.cancel();
  }
  for (const auto& name : to_dial) wish(name, Wish::dial);
  for (const auto& name : to_probe)
    if (!contains(to_dial, name)) wish(name, Wish::probe);
}

void Links::wish(const catalog::NodeName& name, Wish wish) {
  Peer& known = peer(name);
  if (known.wish == wish) return;
  known.wish = wish;
  known.delay = {};
  if (!known.link) known.retry_timer.set(shard_.now());
}

void Links::attempt(const catalog::NodeName& name) {
  Peer& known = peer(name);
  if (known.wish == Wish::none || known.link || known.attempt) return;
  auto role = known.wish == Wish::dial ? net::PeerRole::node : net::PeerRole::probe;
  known.attempt = std::make_unique<NodeDial>(
      shard_, caller_, role, name, known.known_port,
      [this, name](auto result) { on_attempt_done(catalog::NodeName(name), std::move(result)); });
}

void Links::on_attempt_done(const catalog::NodeName& name,
                            std::expected<Acquaintance, NodeDialError> result) {
  Peer& known = peer(name);
  auto attempt = std::move(known.attempt);
  if (attempt->port()) known.known_port = attempt->port();
  if (known.link) return;
  if (result && known.wish == Wish::dial && result->role == net::PeerRole::node) {
    known.last_complaint.clear();
    return install(known, std::move(*result));
  }
  retry_later(known);
  if (result) return;
  if (known.last_complaint != result.error().text) {
    known.last_complaint = result.error().text;
    base::log_info("no link to {}: {}", name, known.last_complaint);
  }
  if (is_proof(result.error().failure)) events_.on_peer_dead(name);
}

void Links::retry_later(Peer& known) {
  auto longest = known.wish == Wish::dial ? longest_dial_delay : longest_probe_delay;
  known.delay = known.delay.count() == 0 ? base::Duration(first_delay)
                                         : std::min<base::Duration>(known.delay * 2, longest);
  known.retry_timer.set(shard_.now() + known.delay);
}

void Links::adopt(Acquaintance acquaintance) {
  catalog::NodeName name = acquaintance.peer;
  Peer& known = peer(name);
  known.attempt.reset();
  known.last_complaint.clear();
  if (known.link) {
    known.link.reset();
    events_.on_link_down(name);
  }
  install(known, std::move(acquaintance));
  learn_port(name);
}

void Links::install(Peer& known, Acquaintance acquaintance) {
  known.retry_timer.cancel();
  known.delay = {};
  base::log_info("linked with {}", acquaintance.peer);
  known.link = std::make_unique<Link>(*this, acquaintance.peer, std::move(acquaintance.stream));
  events_.on_link_up(acquaintance.peer);
  if (!acquaintance.rest.empty()) events_.on_link_bytes(acquaintance.peer, acquaintance.rest);
}

void Links::learn_port(const catalog::NodeName& name) {
  Peer& known = peer(name);
  known.port_lookup = std::make_unique<EpmdLookup>(
      shard_, dialled_host(name, caller_.host), caller_.epmd_port, name.substr(0, name.find('@')),
      shard_.now() + lookup_patience, [&known](EpmdLookup::Answer answer) {
        if (answer && *answer) known.known_port = **answer;
        known.port_lookup.reset();
      });
}

void Links::drop(const catalog::NodeName& name, const std::string& reason) {
  Peer& known = peer(name);
  if (!known.link) return;
  base::log_info("the link to {} is down: {}", name, reason);
  known.link.reset();
  if (known.wish != Wish::none) known.retry_timer.set(shard_.now());
  events_.on_link_down(name);
}

void Links::send(const catalog::NodeName& name, base::Bytes bytes) {
  auto at = peers_.find(name);
  if (at != peers_.end() && at->second->link) at->second->link->stream().send(std::move(bytes));
}

void Links::hang_up(const catalog::NodeName& name) {
  drop(name, "cut by this node");
}

std::vector<std::pair<catalog::NodeName, std::size_t>> Links::backlogs() const {
  std::vector<std::pair<catalog::NodeName, std::size_t>> result;
  for (const auto& [name, known] : peers_)
    if (known->link) result.emplace_back(name, known->link->stream().pending());
  return result;
}

}  // namespace warren::server
