#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/environment.h"
#include "server/epmd_client.h"
#include "server/handshake_run.h"

namespace warren::server {

/// What every call to another node needs.
struct Caller {
  std::string own_name;
  std::string cookie;
  Host host;
  std::uint16_t epmd_port = codec::epmd::default_port;
};

enum class NodeDialFailure {
  process_gone,         ///< proven: nobody has the name, and nobody listens where it did
  application_stopped,  ///< proven: the process itself says so
  not_registered,       ///< the name service does not know the name, which proves nothing
  cookie_differs,
  refused,      ///< it answered, and does not want us now
  unreachable,  ///< silence, which proves nothing
};

struct NodeDialError {
  NodeDialFailure failure;
  std::string text;
};

/// The way to another node, under way for as long as this lives: ask the name service of its
/// host, connect, shake hands.
class NodeDial {
 public:
  using Done = std::function<void(std::expected<Acquaintance, NodeDialError>)>;

  /// `known_port` is where the node listened when it was last seen, if it was; without it the end
  /// of its process can't be proven. `done` is called once, never from inside this call, and may
  /// destroy the dial.
  NodeDial(net::Shard& shard, const Caller& caller, net::PeerRole role, std::string peer,
           std::optional<std::uint16_t> known_port, Done done);
  ~NodeDial();
  NodeDial(const NodeDial&) = delete;
  NodeDial& operator=(const NodeDial&) = delete;

  /// Where the node was found to listen, once that is known.
  std::optional<std::uint16_t> port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace warren::server
