#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>

#include "net/tcp_stream.h"
#include "net/timer.h"

namespace warren::net {

/// What an accepted connection goes through before its owner gets it: a proxy's header, then the
/// handshake of TLS, each within a time limit. What a peer can cost until then is bounded: 4 KiB
/// of header, and what Tls holds.
class Entrance {
 public:
  /// What a proxy's header says. The ends are unset where the connection's own ones count.
  struct Introduction {
    std::size_t size = 0;  ///< octets of the header
    std::optional<Endpoint> local, remote;
  };
  /// Reads the header from the beginning of a connection; empty: more octets are needed.
  using ReadIntroduction = base::Result<std::optional<Introduction>> (*)(base::ByteView);

  struct Rules {
    ReadIntroduction read_introduction = nullptr;  ///< null: no proxy
    std::shared_ptr<TlsCredentials> credentials;  ///< null: no TLS
    base::Duration tls_timeout = std::chrono::seconds(5);
  };
  /// Null when somebody was turned away.
  using Done = std::function<void(std::unique_ptr<TcpStream>)>;

  Entrance(Shard& shard, Done done);
  ~Entrance();

  /// Leads to one call of `done`, perhaps at once.
  void enter(std::unique_ptr<TcpStream> stream, const Rules& rules);
  /// Breaks off all that have not come through yet; `done` is not called for them.
  void close();
  std::size_t waiting() const { return visitors_.size(); }

 private:
  class Visitor;
  using Place = std::list<std::unique_ptr<Visitor>>::iterator;

  void leave(Place place, std::unique_ptr<TcpStream> stream);

  Shard& shard_;
  Done done_;
  std::list<std::unique_ptr<Visitor>> visitors_;
};

}  // namespace warren::net
