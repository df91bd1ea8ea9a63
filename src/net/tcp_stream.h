#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/output_buffer.h"
#include "net/shard.h"
#include "net/tls.h"

namespace warren::net {

struct Endpoint {
  std::string address;  ///< numeric, v4-mapped addresses as plain v4
  std::uint16_t port = 0;
  bool is_loopback = false;
};

/// What a stream tells its owner, on the shard's thread. The owner may destroy the stream inside
/// any of these calls.
class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  /// At most 256 KiB; `bytes` is valid during the call.
  virtual void on_bytes(base::ByteView bytes) = 0;
  /// Where what comes next may be put instead; asked for before each read of a plain stream.
  virtual std::span<char> room() { return {}; }
  /// So many octets are there now. What came behind them follows with on_bytes.
  virtual void on_filled(std::size_t) {}
  /// The handshake of TLS is over; plaintext follows.
  virtual void on_secured() {}
  /// All that was sent has gone to the operating system, after some of it had to wait.
  virtual void on_drained() {}
  /// The peer ended its side or the connection broke; `reason` is for the log. Comes at most
  /// once, and never after the owner called close or reset.
  virtual void on_closed(const std::string& reason) = 0;
};

/// One TCP connection with TCP_NODELAY, plain or, from `secure` on, with TLS. Nothing is delivered
/// before `start`.
class TcpStream {
 public:
  class Impl;
  explicit TcpStream(std::shared_ptr<Impl> impl);
  /// Like `close`.
  ~TcpStream();
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  /// `events` must outlive the stream or its closing. Calling it again changes the receiver.
  void start(StreamEvents& events);

  /// From now on the peer is a client of TLS: bytes are decrypted before they are delivered, and
  /// encrypted when they are sent. on_secured comes when the handshake is over.
  void secure(std::shared_ptr<const TlsContext> context);
  /// Unset before on_secured.
  std::optional<TlsFacts> tls_facts() const;
  /// Gives back what on_bytes brought, to be called from there: it comes again, first, to whoever
  /// is started then, or goes to TLS.
  void give_back(base::ByteView bytes);
  /// A proxy told whom it speaks for; only the addresses and ports are taken over.
  void set_ends(const Endpoint& local, const Endpoint& remote);

  /// Queues bytes; they are written at the end of the turn. Without effect once closed. The
  /// caller bounds the queue by looking at `pending`.
  void send(base::Bytes bytes);
  /// Writes what the system takes now and queues the rest; `output` is left empty, with its
  /// memory where nothing had to wait. A broken connection is reported later, never from inside
  /// this call.
  void send_now(base::OutputBuffer& output);
  /// Bytes that wait to be written.
  std::size_t pending() const;

  /// Stops or resumes reading, so that a peer that sends too much has to wait.
  void set_reading(bool reading);

  /// Writes what is pending (for at most five seconds, in the background), then ends the
  /// connection in an orderly way. No event comes after this.
  void close();
  /// Ends the connection at once with a reset; what is pending is lost. No event comes after.
  void reset();
  /// As `close`, but ends with a reset (linger 0) once everything is written.
  void reset_when_sent();
  bool is_open() const;

  /// Notes of the connection's two ends, made when it was established.
  const Endpoint& local() const;
  const Endpoint& remote() const;
  /// Bytes received and sent so far.
  std::uint64_t received() const;
  std::uint64_t sent() const;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace warren::net
