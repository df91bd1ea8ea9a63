#include <algorithm>
#include <utility>

#include "base/log.h"
#include "cluster/node_impl.h"

namespace warren::cluster {

void Node::Impl::send(const NodeName& to, LinkMessage message) {
  if (to == options_.name) {
    inbox_.emplace_back(to, std::move(message));
    return;
  }
  auto link = links_.find(to);
  if (link == links_.end()) return;
  encode_link_message(link->second.out, message);
}

bool Node::Impl::is_linked(const NodeName& member) const {
  auto link = links_.find(member);
  return link != links_.end() && link->second.is_accepted;
}

std::size_t Node::Impl::link_backlog(const NodeName& member) const {
  auto link = links_.find(member);
  return link == links_.end() ? 0 : link->second.backlog + link->second.out.size();
}

void Node::Impl::set_link_backlog(const NodeName& peer, std::size_t bytes) {
  auto link = links_.find(peer);
  if (link == links_.end()) return;
  bool was_large = link->second.backlog > 0;
  link->second.backlog = bytes;
  if (was_large && bytes == 0)
    for (const QueueHost::Led& led : host_->led()) host_->wake(led.queue);
}

std::vector<NodeName> Node::Impl::peers_to_dial() const {
  std::set<NodeName> peers(facts_.members.begin(), facts_.members.end());
  if (phase_ == NodePhase::running || phase_ == NodePhase::stopping) peers.clear();
  for (const auto& [name, node] : catalog().nodes()) peers.insert(name);
  peers.erase(options_.name);
  return {peers.begin(), peers.end()};
}

void Node::Impl::on_link_up(const NodeName& peer) {
  if (links_.contains(peer)) on_link_down(peer);
  is_topology_changed_ = true;
  Link& link = links_[peer];
  link.last_heard = link.last_sent = now();
  send(peer, Hello{facts_.uuid, facts_.incarnation});
  if (phase_ == NodePhase::stopping) send(peer, Leaving{});
}

void Node::Impl::on_link_down(const NodeName& peer) {
  auto link = links_.find(peer);
  if (link == links_.end()) return;
  is_topology_changed_ = true;
  bool was_accepted = link->second.is_accepted;
  const Bulletins gone = std::move(link->second.bulletins);
  links_.erase(link);
  if (bulletin_observer_)
    for (const auto& [key, text] : gone) bulletin_observer_(peer, key, {});
  forget_old_refusals();
  if (!was_accepted) return;
  base::log_info("node {}: the link to {} is down", options_.name, peer);
  membership_->on_link_down(peer, now());
  metadata_->on_link_down(peer);
  host_->on_link_down(peer);
  channels_->refresh_all();
  std::vector<QueryDone> lost;
  std::erase_if(queries_, [&](auto& query) {
    if (query.second.peer != peer) return false;
    lost.push_back(std::move(query.second.done));
    return true;
  });
  for (QueryDone& done : lost)
    done(base::fail(base::ErrorCode::unavailable, "the link to " + peer + " broke"));
}

void Node::Impl::on_peer_dead(const NodeName& peer) {
  if (links_.contains(peer)) return;
  membership_->on_dead(peer);
  metadata_->on_peer_dead(peer);
}

void Node::Impl::on_link_bytes(const NodeName& peer, base::ByteView bytes) {
  if (is_ending_log()) return;
  auto link = links_.find(peer);
  if (link == links_.end()) return;
  link->second.last_heard = now();
  link->second.parser.feed(bytes);
  // Handling a message may drop the link, so it is looked up again for each.
  while ((link = links_.find(peer)) != links_.end()) {
    auto message = link->second.parser.take();
    if (!message) {
      base::log_error("node {}: the link from {} is cut: {}", options_.name, peer,
                      message.error().text);
      hang_ups_.push_back(peer);
      return on_link_down(peer);
    }
    if (!*message) return;
    on_message(peer, std::move(**message));
  }
}

void Node::Impl::on_message(const NodeName& peer, LinkMessage message) {
  if (auto* hello = std::get_if<Hello>(&message)) return on_hello(peer, *hello);
  if (auto* refused = std::get_if<HelloRefused>(&message)) {
    if (!refused_since_) refused_since_ = now();
    refusal_text_ = refused->text;
    if (auto link = links_.find(peer); link != links_.end()) link->second.has_refused = true;
    return;
  }
  if (peer != options_.name && !is_linked(peer)) return;
  std::visit(
      [&]<typename T>(T& body) {
        if constexpr (std::is_same_v<T, Members>)
          on_members(peer, std::move(body));
        else if constexpr (std::is_same_v<T, Leaving>)
          membership_->on_leaving(peer);
        else if constexpr (std::is_same_v<T, RaftFrame>)
          metadata_->on_raft(peer, body);
        else if constexpr (std::is_same_v<T, Propose>)
          metadata_->on_propose(peer, membership_->incarnation(peer), body);
        else if constexpr (std::is_same_v<T, Query>)
          on_query(peer, std::move(body));
        else if constexpr (std::is_same_v<T, QueryReply>)
          on_query_reply(body);
        else if constexpr (std::is_same_v<T, Remembered>)
          histories_->on_message(body);
        else if constexpr (std::is_same_v<T, Bulletin>)
          on_bulletin(peer, std::move(body));
        else if constexpr (std::is_same_v<T, ToChannel>)
          channels_->on_message(peer, std::move(body));
        else if constexpr (requires { host_->on_message(peer, std::move(body)); })
          host_->on_message(peer, std::move(body));
      },
      message);
}

std::optional<std::string> Node::Impl::refusal(const NodeName& peer, const Hello& hello) const {
  // Only a node that is running knows who belongs to the cluster; a starting one reads the past.
  if (phase_ == NodePhase::starting) return {};
  const catalog::Node* node = catalog().find_node(peer);
  if (node && node->uuid == hello.uuid) return {};
  if (is_vouched_for(peer, hello)) return {};
  return "inconsistent_cluster: Node " + peer + " thinks it's clustered with node " +
         options_.name + ", but " + options_.name + " disagrees";
}

Members Node::Impl::members() const {
  auto [generation, applied] = metadata_->applied();
  Members members{generation.value, applied.value, {}};
  for (const auto& [name, node] : catalog().nodes()) members.members.push_back({name, node.uuid});
  return members;
}

void Node::Impl::on_members(const NodeName& peer, Members members) {
  links_.at(peer).members = std::move(members);
  reconsider_refused();
}

/// A node that was away while another joined can't know it, and if that one leads now, nobody else
/// will tell it. So it believes a member that has more of the catalog's log than itself.
bool Node::Impl::is_vouched_for(const NodeName& peer, const Hello& hello) const {
  auto [generation, applied] = metadata_->applied();
  const std::pair own(generation.value, applied.value);
  const Members::Member member{peer, hello.uuid};
  return std::ranges::any_of(links_, [&](const auto& entry) {
    const std::optional<Members>& known = entry.second.members;
    return known && std::pair(known->generation, known->applied) > own &&
           std::ranges::find(known->members, member) != known->members.end();
  });
}

void Node::Impl::on_hello(const NodeName& peer, const Hello& hello) {
  auto link = links_.find(peer);
  if (link == links_.end()) return;
  if (link->second.is_accepted) {
    link->second.has_refused = false;  // it knows better now
    send(peer, members());
    for (const auto& [key, text] : bulletins_) send(peer, Bulletin{key, text});
    return forget_old_refusals();
  }
  if (auto text = refusal(peer, hello)) {
    base::log_warning("node {}: {} is refused: it is not a member with its data directory",
                      options_.name, peer);
    link->second.refused_hello = hello;
    send(peer, HelloRefused{*text});
    return;  // the other side gives up, or this one learns that it has joined
  }
  link->second.is_accepted = is_topology_changed_ = true;
  link->second.incarnation = hello.incarnation;
  base::log_info("node {}: the link to {} is up", options_.name, peer);
  send(peer, members());
  for (const auto& [key, text] : bulletins_) send(peer, Bulletin{key, text});
  membership_->on_linked(peer, hello);
  metadata_->on_link_up(peer);
  host_->tick(now());
  channels_->refresh_all();
  histories_->on_linked(peer);
}

void Node::Impl::forget_old_refusals() {
  // A member that refused may only not have known better yet: it is asked again.
  if (std::ranges::none_of(links_, [](auto& entry) { return entry.second.has_refused; }))
    refused_since_.reset();
}

void Node::Impl::tell_members() {
  if (!std::exchange(are_members_changed_, false)) return;
  for (const auto& [peer, link] : links_)
    if (link.is_accepted) send(peer, members());
  reconsider_refused();
}

void Node::Impl::reconsider_refused() {
  for (auto& [peer, link] : links_) {
    if (!link.refused_hello || refusal(peer, *link.refused_hello)) continue;
    Hello hello = *std::exchange(link.refused_hello, std::nullopt);
    send(peer, Hello{facts_.uuid, facts_.incarnation});
    on_hello(peer, hello);
  }
}

void Node::Impl::query(const NodeName& peer, base::Bytes request, QueryDone done) {
  if (peer != options_.name && !is_linked(peer))
    return done(base::fail(base::ErrorCode::unavailable, "node " + peer + " is not linked"));
  std::uint64_t number = ++last_query_;
  queries_.emplace(number, PendingQuery{now() + options_.request_deadline, peer, std::move(done)});
  send(peer, Query{number, std::move(request)});
}

void Node::Impl::on_query(const NodeName& peer, Query query) {
  base::Bytes reply = query_handler_ ? query_handler_(query.request) : base::Bytes();
  send(peer, QueryReply{query.number, std::move(reply)});
}

void Node::Impl::on_query_reply(const QueryReply& reply) {
  auto query = queries_.find(reply.number);
  if (query == queries_.end()) return;
  QueryDone done = std::move(query->second.done);
  queries_.erase(query);
  done(reply.reply);
}

void Node::Impl::post(const std::string& key, base::Bytes text) {
  auto posted = bulletins_.find(key);
  if (posted == bulletins_.end() ? text.empty() : posted->second == text) return;
  for (const auto& [peer, link] : links_)
    if (link.is_accepted) send(peer, Bulletin{key, text});
  if (text.empty())
    bulletins_.erase(posted);
  else
    bulletins_[key] = std::move(text);
}

void Node::Impl::on_bulletin(const NodeName& peer, Bulletin bulletin) {
  auto link = links_.find(peer);
  if (link == links_.end()) return;
  if (bulletin_observer_) bulletin_observer_(peer, bulletin.key, bulletin.text);
  if (bulletin.text.empty())
    link->second.bulletins.erase(bulletin.key);
  else
    link->second.bulletins[bulletin.key] = std::move(bulletin.text);
}

void Node::Impl::set_bulletin_observer(BulletinObserver observer) {
  bulletin_observer_ = std::move(observer);
  if (!bulletin_observer_) return;
  for (const auto& [peer, link] : links_)
    for (const auto& [key, text] : link.bulletins) bulletin_observer_(peer, key, text);
}

void Node::Impl::tick_links() {
  std::vector<NodeName> silent;
  for (auto& [peer, link] : links_) {
    if (now() >= link.last_heard + options_.link_silence) silent.push_back(peer);
    if (now() >= link.last_sent + options_.link_silence / 4 && link.is_accepted) send(peer, Ping{});
  }
  for (const NodeName& peer : silent) {
    base::log_warning("node {}: nothing was heard from {} for {} s; the link is cut",
                      options_.name, peer,
                      std::chrono::duration_cast<std::chrono::seconds>(options_.link_silence)
                          .count());
    hang_ups_.push_back(peer);
    on_link_down(peer);
  }
  std::vector<QueryDone> late;
  std::erase_if(queries_, [&](auto& query) {
    if (query.second.deadline > now()) return false;
    late.push_back(std::move(query.second.done));
    return true;
  });
  for (QueryDone& done : late)
    done(base::fail(base::ErrorCode::timeout, "the node did not answer in time"));
}

base::Time Node::Impl::links_deadline() const {
  base::Time deadline = base::never;
  for (const auto& [peer, link] : links_) {
    deadline = std::min(deadline, link.last_heard + options_.link_silence);
    if (link.is_accepted)
      deadline = std::min(deadline, link.last_sent + options_.link_silence / 4);
  }
  for (const auto& [number, query] : queries_) deadline = std::min(deadline, query.deadline);
  return deadline;
}

std::vector<std::pair<NodeName, base::Bytes>> Node::Impl::take_frames() {
  std::vector<std::pair<NodeName, base::Bytes>> frames;
  for (auto& [peer, link] : links_) {
    if (link.out.empty()) continue;
    link.last_sent = now();
    frames.emplace_back(peer, std::move(link.out));
    link.out.clear();
  }
  return frames;
}

std::vector<NodeName> Node::Impl::take_hang_ups() { return std::exchange(hang_ups_, {}); }

}  // namespace warren::cluster
