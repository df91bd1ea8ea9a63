#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/id.h"
#include "codec/epmd.h"

namespace warren::codec::epmd {

using ConnectionId = base::Id<struct EpmdConnectionTag>;

/// The port mapper's memory: which node listens where. Bytes of a connection in, bytes out; the
/// owner does the network. A name lives as long as the connection that registered it.
///
/// Bounds: `max_nodes` names, and one request (`max_request_size`) buffered per connection.
class Registry {
 public:
  static constexpr std::size_t max_nodes = 4096;

  struct Reply {
    Bytes bytes;
    /// The connection is to be closed once `bytes` are written; nothing more is read from it.
    bool close = false;
  };

  /// `port` is the mapper's own. Registrations get creations from `first_creation` upwards (a
  /// Unix time is a good choice: then they differ from those of an earlier mapper).
  Registry(std::uint16_t port, std::uint32_t first_creation);

  /// Bytes from a connection; the first ones make it known.
  Reply feed(ConnectionId connection, ByteView bytes);
  /// To be called for each connection that ends, from whichever side; frees its name.
  void on_closed(ConnectionId connection);

  /// For nodes of this process, which need no connection of their own to register. Empty when
  /// the name is taken; the name is freed by `on_closed(connection)`.
  std::optional<std::uint32_t> register_node(ConnectionId connection, NodeInfo node);
  const NodeInfo* find_node(std::string_view name) const;
  /// Registered nodes, the latest first, as `epmd -names` lists them.
  NamesResponse names() const;

 private:
  struct Entry {
    ConnectionId connection;
    NodeInfo node;
  };

  Reply answer(ConnectionId connection, const Request& request);
  std::uint32_t next_creation();

  std::uint16_t port_;
  std::uint32_t creation_;
  std::map<ConnectionId, Bytes> buffers_;
  std::vector<Entry> entries_;
};

}  // namespace warren::codec::epmd
