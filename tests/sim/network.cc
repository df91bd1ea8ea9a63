#include "sim/network.h"

#include <algorithm>

namespace warren::sim {
namespace {

constexpr base::Duration shortest_look = std::chrono::milliseconds(100);
constexpr base::Duration longest_look = std::chrono::milliseconds(250);

}  // namespace

Network::Pair& Network::pair(const catalog::NodeName& one, const catalog::NodeName& other) {
  return pairs_.at({std::min(one, other), std::max(one, other)});
}

Network::Direction& Network::towards(Pair& pair, const Machine& to) {
  return pair.directions[pair.directions[0].to == &to ? 0 : 1];
}

base::Duration Network::delay() {
  return world_.between(std::chrono::microseconds(30), slowest_);
}

void Network::add(Machine& one, Machine& other) {
  Pair& pair =
      pairs_[{std::min(one.name(), other.name()), std::max(one.name(), other.name())}];
  pair.directions[0].from = pair.directions[1].to = &one;
  pair.directions[0].to = pair.directions[1].from = &other;
  look_again(pair, pair.directions[0]);
  look_again(pair, pair.directions[1]);
}

void Network::dispatch(Pair& pair, Direction& direction, Piece piece) {
  direction.last_arrival = std::max(direction.last_arrival, world_.now() + delay());
  piece.arrival = direction.last_arrival;
  direction.pieces.push_back(std::move(piece));
  world_.at(direction.last_arrival, [this, &pair, &direction] { deliver(pair, direction); });
}

void Network::deliver(Pair& pair, Direction& direction) {
  while (!pair.is_parted && !direction.pieces.empty() &&
         direction.pieces.front().arrival <= world_.now()) {
    Piece piece = std::move(direction.pieces.front());
    direction.pieces.pop_front();
    arrive(pair, direction, std::move(piece));
  }
}

void Network::arrive(Pair& pair, Direction& direction, Piece piece) {
  if (pair.lost.contains(piece.session) && !piece.is_end) return;
  Machine& to = *direction.to;
  if (!to.is_on()) return;
  if (!to.is_alive()) return piece.is_end ? void() : reset(pair, direction, piece.session);
  to.input(to.run(), [this, &pair, &direction, piece = std::move(piece)](cluster::Node& node) {
    if (direction.session != piece.session)
      return piece.is_end ? void() : reset(pair, direction, piece.session);
    direction.bytes_under_way -= std::min(direction.bytes_under_way, piece.bytes.size());
    if (!piece.is_end)
      return node.on_link_bytes(direction.from->name(), piece.bytes);
    direction.session = 0;
    node.on_link_down(direction.from->name());
  });
}

/// Whoever sends under a session that the other side does not have is told that it is over.
void Network::reset(Pair& pair, Direction& direction, std::uint64_t session) {
  Direction& back = towards(pair, *direction.from);
  if (back.session == session) dispatch(pair, back, {session, {}, true});
}

void Network::send(Machine& from, const catalog::NodeName& to, base::Bytes bytes) {
  Pair& between = pair(from.name(), to);
  Direction& back = towards(between, from);
  Direction& direction = towards(between, *world_.find(to));
  if (back.session == 0) return;
  direction.bytes_under_way += bytes.size();
  if (bytes.size() > 1 && world_.random().chance(20)) {
    std::size_t cut = 1 + world_.random().below(bytes.size() - 1);
    dispatch(between, direction, {back.session, bytes.substr(0, cut), false});
    bytes.erase(0, cut);
  }
  dispatch(between, direction, {back.session, std::move(bytes), false});
}

std::size_t Network::backlog(Machine& from, const catalog::NodeName& to) {
  Direction& direction = towards(pair(from.name(), to), *world_.find(to));
  return world_.find(to)->is_paused() || is_parted(from.name(), to) ? direction.bytes_under_way
                                                                     : 0;
}

void Network::hang_up(Machine& by, const catalog::NodeName& peer) {
  Pair& between = pair(by.name(), peer);
  Direction& own = towards(between, by);
  if (own.session == 0) return;
  world_.trace("network: {} hangs up on {}", by.name(), peer);
  std::uint64_t session = std::exchange(own.session, 0);
  world_.note_disturbance();
  dispatch(between, towards(between, *world_.find(peer)), {session, {}, true});
}

void Network::on_process_gone(Machine& machine, bool is_silent) {
  for (auto& [names, pair] : pairs_) {
    if (names.first != machine.name() && names.second != machine.name()) continue;
    Direction& own = towards(pair, machine);
    std::uint64_t session = std::exchange(own.session, 0);
    std::erase_if(own.pieces, [](const Piece& piece) { return !piece.is_end; });
    own.bytes_under_way = 0;
    pair.is_connecting = false;
    if (session == 0) session = pair.session;
    if (world_.random().chance(50)) pair.lost.insert(session);
    if (!is_silent) dispatch(pair, towards(pair, *own.from), {session, {}, true});
  }
}

void Network::on_power_on(Machine& machine) {
  for (auto& [names, pair] : pairs_) {
    if (names.first != machine.name() && names.second != machine.name()) continue;
    Direction& other = towards(pair, *towards(pair, machine).from);
    if (other.session != 0) dispatch(pair, other, {other.session, {}, true});
  }
}

void Network::part(const catalog::NodeName& one, const catalog::NodeName& other) {
  world_.trace("network: {} and {} are parted", one, other);
  pair(one, other).is_parted = true;
}

void Network::rejoin(const catalog::NodeName& one, const catalog::NodeName& other) {
  Pair& between = pair(one, other);
  if (!between.is_parted) return;
  world_.trace("network: {} and {} see each other again", one, other);
  between.is_parted = false;
  world_.note_disturbance();
  for (Direction& direction : between.directions)
    world_.after(delay(), [this, &between, &direction] { deliver(between, direction); });
}

bool Network::is_parted(const catalog::NodeName& one, const catalog::NodeName& other) {
  return pair(one, other).is_parted;
}

bool Network::is_parted() const {
  return std::ranges::any_of(pairs_, [](const auto& pair) { return pair.second.is_parted; });
}

void Network::break_link(const catalog::NodeName& one, const catalog::NodeName& other) {
  Pair& between = pair(one, other);
  if (between.session == 0 || between.is_connecting) return;
  world_.trace("network: the link of {} and {} breaks", one, other);
  between.lost.insert(between.session);
  world_.note_disturbance();
  for (Direction& direction : between.directions)
    dispatch(between, direction, {between.session, {}, true});
}

void Network::look_again(Pair& pair, Direction& direction) {
  world_.after(world_.between(shortest_look, longest_look), [this, &pair, &direction] {
    look_around(pair, direction);
    look_again(pair, direction);
  });
}

/// The machine at the start of that direction tries to link with the one at its end.
void Network::look_around(Pair& pair, Direction& direction) {
  Machine& from = *direction.from;
  Machine& to = *direction.to;
  if (!from.is_alive() || from.is_paused() || pair.is_connecting) return;
  if (towards(pair, from).session != 0) return;
  auto wanted = from.node()->peers_to_dial();
  if (std::ranges::find(wanted, to.name()) == wanted.end()) return;
  bool is_reachable = !pair.is_parted && to.is_on();
  if (is_reachable && to.is_alive()) {
    bool is_accepting = !to.is_paused() && (to.node()->phase() == cluster::NodePhase::starting ||
                                            to.node()->phase() == cluster::NodePhase::running);
    if (is_accepting) connect(pair);
    return;
  }
  if (!is_reachable && !world_.options().has_false_deaths) return;
  world_.after(delay(), [this, &from, &to, run = from.run()] {
    from.input(run, [this, &to](cluster::Node& node) {
      node.on_peer_dead(to.name());
    });
  });
}

void Network::connect(Pair& pair) {
  pair.is_connecting = true;
  std::uint64_t session = ++pair.session;
  for (Direction& direction : pair.directions) {
    direction.last_arrival = std::max(direction.last_arrival, world_.now() + delay());
    bool is_last = &direction == &pair.directions[1];
    world_.at(direction.last_arrival, [this, &pair, &direction, session, is_last,
                                       run = direction.to->run()] {
      if (is_last) pair.is_connecting = false;
      direction.to->input(run, [this, &pair, &direction, session](cluster::Node& node) {
        if (direction.session != 0)
          node.on_link_down(direction.from->name());
        direction.session = session;
        direction.bytes_under_way = 0;
        node.on_link_up(direction.from->name());
      });
    });
  }
}

}  // namespace warren::sim
