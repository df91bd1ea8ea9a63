#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

struct ssl_ctx_st;
struct ssl_st;

namespace warren::net {

/// How one end of TLS connections proves who it is. Files are PEM.
struct TlsIdentity {
  std::string certificate_file;  ///< with its chain; a client may do without
  std::string key_file;          ///< empty: in the certificate's file
  std::string password;          ///< of the key
};

/// What one end of TLS connections shows and demands.
struct TlsOptions : TlsIdentity {
  /// Of a server, by the name that a client asks for, in lower case; others get the one above.
  std::map<std::string, TlsIdentity, std::less<>> hosts;
  std::string ca_file;  ///< who may have signed the peer's certificate; may end one's own chain
  bool verify_peer = false;      ///< a server asks the client for its certificate
  bool fail_if_no_peer_cert = false;
  int depth = 10;                ///< of the peer's chain
  bool honor_cipher_order = false;  ///< a server's own order goes before the client's
  /// Of "tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"; empty: 1.2 and 1.3.
  std::vector<std::string> versions;
  std::vector<std::string> ciphers;  ///< by OpenSSL's names; empty: OpenSSL's choice
};

/// Everything that connections of one kind share. Immutable; connections keep it alive.
class TlsContext {
 public:
  enum class Role { server, client };

  /// invalid_argument, with the file and OpenSSL's reason, for options that don't work.
  static base::Result<std::shared_ptr<const TlsContext>> make(Role role, const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  Role role() const { return role_; }
  /// For the sources of this module.
  ssl_ctx_st* native() const { return context_; }

 private:
  TlsContext(Role role, ssl_ctx_st* context) : role_(role), context_(context) {}
  base::Result<> add_hosts(const TlsOptions& options);
  /// What OpenSSL calls with the name that a client asks for.
  static int choose_host(ssl_st* connection, int* alert, void* self);

  Role role_;
  ssl_ctx_st* context_;
  std::map<std::string, std::shared_ptr<const TlsContext>, std::less<>> hosts_;
};

/// A server's context, made anew when its files have changed, so that certificates are renewed
/// without a restart. Files that don't fit each other yet leave the old context in place.
class TlsCredentials {
 public:
  static base::Result<std::shared_ptr<TlsCredentials>> open(TlsOptions options);

  /// What a new connection is to use. Looks at the files at most once a second.
  const std::shared_ptr<const TlsContext>& context(base::Time now);

 private:
  struct Stamp {
    std::int64_t modified_ns = 0;
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::vector<Stamp>;

  explicit TlsCredentials(TlsOptions options) : options_(std::move(options)) {}
  Stamps stamps() const;

  TlsOptions options_;
  std::shared_ptr<const TlsContext> context_;
  Stamps seen_;  ///< as the files were when they were read last, with or without success
  base::Time next_look_{};
};

}  // namespace warren::net
