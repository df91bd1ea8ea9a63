#pragma once

#include <deque>
#include <map>
#include <set>
#include <utility>

#include "machine.h"

namespace warren::sim {

/// The links between machines, and what machines find out about each other when they can't link.
/// A link is a stream in each direction: ordered, delayed, cut into pieces at any byte. Where two
/// machines are parted, bytes wait until that is over or the link's end gives up.
class Network {
 public:
  explicit Network(World& world) : world_(world) {}

  void set_slowest(base::Duration slowest) { slowest_ = slowest; }
  void add(Machine& one, Machine& other);

  void send(Machine& from, const catalog::NodeName& to, base::Bytes bytes);
  void hang_up(Machine& by, const catalog::NodeName& peer);
  std::size_t backlog(Machine& from, const catalog::NodeName& to);
  /// The process is gone; `is_silent` when nothing tells its peers.
  void on_process_gone(Machine& machine, bool is_silent);
  /// The host is back: peers that still send to the lost process are told.
  void on_power_on(Machine& machine);

  void part(const catalog::NodeName& one, const catalog::NodeName& other);
  void rejoin(const catalog::NodeName& one, const catalog::NodeName& other);
  bool is_parted(const catalog::NodeName& one, const catalog::NodeName& other);
  /// Whether any two are.
  bool is_parted() const;
  /// Breaks the link; it can be made again at once.
  void break_link(const catalog::NodeName& one, const catalog::NodeName& other);

 private:
  struct Piece {
    std::uint64_t session = 0;
    base::Bytes bytes;
    bool is_end = false;  ///< the other side has closed
    base::Time arrival{};
  };
  /// One direction of a pair: what is on its way to `to`.
  struct Direction {
    Machine* from = nullptr;
    Machine* to = nullptr;
    std::uint64_t session = 0;  ///< as `to` knows it; 0: no link
    base::Time last_arrival{};
    std::deque<Piece> pieces;  ///< in order; they stay while the pair is parted
    std::size_t bytes_under_way = 0;
  };
  struct Pair {
    Direction directions[2];
    std::uint64_t session = 0;     ///< the newest
    bool is_connecting = false;
    bool is_parted = false;
    std::set<std::uint64_t> lost;  ///< sessions whose bytes under way are lost
  };

  Pair& pair(const catalog::NodeName& one, const catalog::NodeName& other);
  static Direction& towards(Pair& pair, const Machine& to);
  base::Duration delay();
  void dispatch(Pair& pair, Direction& direction, Piece piece);
  void deliver(Pair& pair, Direction& direction);
  void arrive(Pair& pair, Direction& direction, Piece piece);
  void reset(Pair& pair, Direction& direction, std::uint64_t session);
  void look_around(Pair& pair, Direction& direction);
  void look_again(Pair& pair, Direction& direction);
  void connect(Pair& pair);

  World& world_;
  base::Duration slowest_ = std::chrono::milliseconds(3);
  std::map<std::pair<catalog::NodeName, catalog::NodeName>, Pair> pairs_;
};

}  // namespace warren::sim
