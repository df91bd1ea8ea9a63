#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

/// How two processes that share a cookie recognise each other (docs/formats/handshake.md). Bytes
/// in, bytes out; the cookie itself never leaves either side.
namespace warren::net {

enum class PeerRole : std::uint8_t {
  node = 1,   ///< a member's end of the link between two nodes
  cli = 2,    ///< a command line, or a node with a question; control frames follow
  probe = 3,  ///< a member that only asks whether the application runs; nothing follows
};

/// How the responder answered a caller that knows the cookie.
enum class Admission : std::uint8_t {
  accepted = 0,
  application_stopped = 1,  ///< the process runs, its broker does not
  refused = 2,              ///< for the reason in the text
};

inline constexpr std::size_t handshake_nonce_size = 32;
/// The most that one side sends during a handshake.
inline constexpr std::size_t max_handshake_size = 4096;

/// One side of a handshake. Feed it until `phase` is `done` or `failed`; after each call send
/// what `take_output` gives, also after a failure (it tells the peer why).
class Handshake {
 public:
  enum class Phase { talking, deciding, done, failed };

  /// The calling side. `peer_name` is the node that it means to reach, in full; the responder
  /// refuses when that is somebody else. `nonce` is `handshake_nonce_size` fresh random bytes.
  static Handshake initiator(PeerRole role, std::string own_name, std::string peer_name,
                             std::string cookie, base::Bytes nonce);
  static Handshake responder(std::string own_name, std::string cookie, base::Bytes nonce);

  void feed(base::ByteView bytes);
  base::Bytes take_output();

  Phase phase() const { return phase_; }
  /// The responder calls this in phase `deciding`: the caller is genuine, shall it come in? With
  /// `accepted` the phase becomes done, else failed.
  void decide(Admission admission, std::string text = {});

  /// Known from phase `deciding` or `done` on.
  PeerRole role() const { return role_; }
  const std::string& peer_name() const { return peer_name_; }
  /// Of a failed handshake: access_refused for a wrong cookie, not_allowed for `refused` and
  /// precondition_failed for `application_stopped` (both proven to come from a holder of the
  /// cookie), frame_error for bytes that are no handshake.
  const base::Error& error() const { return error_; }
  /// Bytes that followed the handshake, once it is done.
  base::Bytes take_rest();

 private:
  enum class Step { expect_hello, expect_challenge, expect_proof, expect_verdict, none };

  Handshake(std::string own_name, std::string cookie, base::Bytes nonce);
  void on_frame(base::ByteView frame);
  void on_hello(base::ByteView frame);
  void on_challenge(base::ByteView frame);
  void on_proof(base::ByteView frame);
  void on_verdict(base::ByteView frame);
  void send_frame(base::ByteView frame);
  void send_refusal(std::string_view text);
  void fail(base::ErrorCode code, std::string text);
  base::Bytes sign(std::string_view purpose, base::ByteView extra = {}) const;

  std::string own_name_;
  std::string peer_name_;
  std::string cookie_;
  base::Bytes nonce_;
  base::Bytes transcript_;  ///< both first frames, which every proof covers
  base::Bytes input_;
  base::Bytes output_;
  PeerRole role_ = PeerRole::cli;
  Phase phase_ = Phase::talking;
  Step step_ = Step::none;
  base::Error error_{base::ErrorCode::internal, {}};
};

}  // namespace warren::net
