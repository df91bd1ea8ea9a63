#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "net/certificate.h"
#include "net/tls_context.h"

namespace warren::net {

/// What was agreed, in the words of RabbitMQ's listings.
struct TlsFacts {
  std::string protocol;      ///< "tlsv1.3"
  std::string key_exchange;  ///< "ecdhe_rsa"; "any" where the version leaves it open
  std::string cipher;        ///< "aes_256_gcm"
  std::string hash;          ///< "aead", "sha256"
  std::optional<Certificate> peer;  ///< whose chain was verified
};

/// One end of one TLS connection: a machine without a socket. It keeps no buffer while it is
/// idle. What the peer can make it hold is bounded: one record, and a handshake message of 64 KiB.
class Tls {
 public:
  /// A client begins at once: see `output`. `server_name` is whom it means to reach (SNI), and
  /// is compared with the certificate where the context verifies.
  explicit Tls(std::shared_ptr<const TlsContext> context, const std::string& server_name = {});
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  /// Takes all of what the peer sent and appends its plaintext to `plain`, at most as much and
  /// one record. After an error (frame_error, with a text for the log) the connection is over;
  /// send what is in `output`, it tells the peer why.
  base::Result<> feed(base::ByteView bytes, base::Bytes& plain);
  /// Encrypts; before the handshake is over `plain` is kept until it is.
  void send(base::ByteView plain);
  /// Says that no more will be sent. `send` has no effect after this.
  void close();

  /// Bytes for the peer. The owner takes and clears them after each call.
  base::Bytes& output();
  bool is_established() const;
  /// The peer has said that it sends no more.
  bool has_ended() const;
  /// To be called once the handshake is over.
  TlsFacts facts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace warren::net
