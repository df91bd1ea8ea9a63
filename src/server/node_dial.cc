#include "server/node_dial.h"

#include <fmt/format.h>

#include "base/random.h"

namespace warren::server {
namespace {

constexpr std::chrono::seconds step_patience(3);

std::string short_name_of(const std::string& node) {
  return node.substr(0, node.find('@'));
}

}  // namespace

class NodeDial::Impl {
 public:
  Impl(net::Shard& shard, const Caller& caller, net::PeerRole role, std::string peer,
       std::optional<std::uint16_t> known_port, Done done)
      : shard_(shard),
        caller_(caller),
        role_(role),
        peer_(std::move(peer)),
        known_port_(known_port),
        done_(std::move(done)),
        host_(dialled_host(peer_, caller.host)),
        lookup_(std::make_unique<EpmdLookup>(
            shard, host_, caller.epmd_port, short_name_of(peer_), shard.now() + step_patience,
            [this](EpmdLookup::Answer answer) { on_looked_up(answer); })) {}

  std::optional<std::uint16_t> port;

 private:
  void on_looked_up(EpmdLookup::Answer answer) {
    if (answer && *answer) {
      port = **answer;
      return connect(*port, NodeDialFailure::unreachable);
    }
    if (!answer && answer.error() != EpmdFailure::refused)
      return fail(NodeDialFailure::unreachable,
                  answer.error() == EpmdFailure::unresolved
                      ? fmt::format("there is no host named {}", host_)
                      : fmt::format("the name service of {} does not answer", host_));
    // On this machine a refused connection is proof without the name service's word too.
    bool is_proof = answer.has_value() || host_ == "127.0.0.1";
    if (known_port_)
      return connect(*known_port_,
                     is_proof ? NodeDialFailure::process_gone : NodeDialFailure::unreachable);
    fail(answer ? NodeDialFailure::not_registered : NodeDialFailure::unreachable,
         fmt::format("{} is not running", peer_));
  }

  void connect(std::uint16_t to, NodeDialFailure when_refused) {
    dial_ = std::make_unique<net::Dial>(
        shard_, host_, to, shard_.now() + step_patience, [this, when_refused](auto stream) {
          if (stream) return shake_hands(std::move(*stream));
          bool is_refused = stream.error().failure == net::DialFailure::refused;
          fail(is_refused ? when_refused : NodeDialFailure::unreachable, stream.error().text);
        });
  }

  void shake_hands(std::unique_ptr<net::TcpStream> stream) {
    auto handshake =
        net::Handshake::initiator(role_, caller_.own_name, peer_, caller_.cookie,
                                  base::secure_random_bytes(net::handshake_nonce_size));
    run_ =
        std::make_unique<HandshakeRun>(shard_, std::move(stream), std::move(handshake), nullptr,
                                       [this](base::Result<Acquaintance> result) {
                                         if (result) return finish(std::move(*result));
                                         fail(failure_of(result.error().code), result.error().text);
                                       });
  }

  static NodeDialFailure failure_of(base::ErrorCode code) {
    switch (code) {
      case base::ErrorCode::access_refused:
        return NodeDialFailure::cookie_differs;
      case base::ErrorCode::not_allowed:
        return NodeDialFailure::refused;
      case base::ErrorCode::precondition_failed:
        return NodeDialFailure::application_stopped;
      default:
        return NodeDialFailure::unreachable;
    }
  }

  void fail(NodeDialFailure failure, std::string text) {
    finish(std::unexpected(NodeDialError{failure, std::move(text)}));
  }
  /// The callback may destroy this, so it is the last thing done.
  void finish(std::expected<Acquaintance, NodeDialError> result) {
    Done done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

  net::Shard& shard_;
  Caller caller_;
  net::PeerRole role_;
  std::string peer_;
  std::optional<std::uint16_t> known_port_;
  Done done_;
  std::string host_;
  std::unique_ptr<EpmdLookup> lookup_;
  std::unique_ptr<net::Dial> dial_;
  std::unique_ptr<HandshakeRun> run_;
};

NodeDial::NodeDial(net::Shard& shard, const Caller& caller, net::PeerRole role, std::string peer,
                   std::optional<std::uint16_t> known_port, Done done)
    : impl_(std::make_unique<Impl>(shard, caller, role, std::move(peer), known_port,
                                   std::move(done))) {}
NodeDial::~NodeDial() = default;

std::optional<std::uint16_t> NodeDial::port() const {
  return impl_->port;
}

}  // namespace warren::server
