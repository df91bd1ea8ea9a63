#include "net/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "net/tls_error.h"

namespace warren::net {

std::string take_openssl_errors() {
  std::string text;
  while (unsigned long code = ERR_get_error()) {
    if (!text.empty()) text += ", ";
    const char* reason = ERR_reason_error_string(code);
    text += reason ? reason : fmt::format("error {:x}", code);
  }
  return text.empty() ? "no reason given" : text;
}

/// OpenSSL reads straight from what `feed` was given and writes straight to the output.
struct Tls::Impl {
  SSL* ssl = nullptr;
  std::shared_ptr<const TlsContext> context;
  base::ByteView input;
  base::Bytes output;
  base::Bytes early;  ///< sent before the handshake was over
  bool is_established = false;
  bool has_ended = false;
  bool is_closed = false;
  bool is_broken = false;

  ~Impl() { SSL_free(ssl); }

  base::Result<> shake_hands();
  base::Result<> read(base::Bytes& plain);
  void write(base::ByteView plain);
  std::unexpected<base::Error> broken();
};

namespace {

constexpr std::size_t record_bytes = 16 * 1024;

int bio_read(BIO* bio, char* to, std::size_t size, std::size_t* taken) {
  base::ByteView& input = *static_cast<base::ByteView*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (input.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  *taken = std::min(size, input.size());
  std::memcpy(to, input.data(), *taken);
  input.remove_prefix(*taken);
  return 1;
}
int bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* taken) {
  static_cast<base::Bytes*>(BIO_get_data(bio))->append(from, size);
  *taken = size;
  return 1;
}
long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* make_method(const char* name) {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, name);
  ASSERT(method);
  BIO_meth_set_ctrl(method, bio_control);
  return method;
}
BIO* make_bio(const BIO_METHOD* method, void* data) {
  BIO* bio = BIO_new(method);
  ASSERT(bio);
  BIO_set_data(bio, data);
  BIO_set_init(bio, 1);
  return bio;
}
BIO* make_source(base::ByteView& input) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = make_method("bytes given");
    BIO_meth_set_read_ex(made, bio_read);
    return made;
  }();
  return make_bio(method, &input);
}
BIO* make_sink(base::Bytes& output) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = make_method("bytes gathered");
    BIO_meth_set_write_ex(made, bio_write);
    return made;
  }();
  return make_bio(method, &output);
}

std::string lower_version(const SSL* ssl) {
  switch (SSL_version(ssl)) {
    case TLS1_3_VERSION: return "tlsv1.3";
    case TLS1_2_VERSION: return "tlsv1.2";
    case TLS1_1_VERSION: return "tlsv1.1";
    default: return "tlsv1";
  }
}

std::string key_exchange_of(const SSL_CIPHER* cipher) {
  const char* authentication = SSL_CIPHER_get_auth_nid(cipher) == NID_auth_ecdsa ? "ecdsa" : "rsa";
  switch (SSL_CIPHER_get_kx_nid(cipher)) {
    case NID_kx_any: return "any";
    case NID_kx_ecdhe: return fmt::format("ecdhe_{}", authentication);
    case NID_kx_dhe: return fmt::format("dhe_{}", authentication);
    case NID_kx_rsa: return "rsa";
    default: return "other";
  }
}

std::string cipher_of(const SSL_CIPHER* cipher) {
  switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm: return "aes_128_gcm";
    case NID_aes_256_gcm: return "aes_256_gcm";
    case NID_aes_128_ccm: return "aes_128_ccm";
    case NID_aes_256_ccm: return "aes_256_ccm";
    case NID_aes_128_cbc: return "aes_128_cbc";
    case NID_aes_256_cbc: return "aes_256_cbc";
    case NID_chacha20_poly1305: return "chacha20_poly1305";
    default: return "other";
  }
}

std::string hash_of(const SSL_CIPHER* cipher) {
  if (SSL_CIPHER_is_aead(cipher)) return "aead";
  switch (SSL_CIPHER_get_digest_nid(cipher)) {
    case NID_sha1: return "sha";
    case NID_sha256: return "sha256";
    case NID_sha384: return "sha384";
    default: return "other";
  }
}

}  // namespace

std::unexpected<base::Error> Tls::Impl::broken() {
  is_broken = true;
  std::string reason = take_openssl_errors();
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK)
    reason += fmt::format(" ({})", X509_verify_cert_error_string(verified));
  return base::fail(base::ErrorCode::frame_error, "TLS: " + reason);
}

base::Result<> Tls::Impl::shake_hands() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl);
  if (done == 1) {
    is_established = true;
    write(std::exchange(early, {}));
  } else if (SSL_get_error(ssl, done) != SSL_ERROR_WANT_READ) {
    return broken();
  }
  return {};
}

base::Result<> Tls::Impl::read(base::Bytes& plain) {
  while (!has_ended) {
    ERR_clear_error();
    std::size_t taken = 0;
    int done = 0;
    const std::size_t before = plain.size();
    plain.resize_and_overwrite(before + record_bytes, [&](char* data, std::size_t) {
      done = SSL_read_ex(ssl, data + before, record_bytes, &taken);
      return before + (done == 1 ? taken : 0);
    });
    if (done == 1) continue;
    const int error = SSL_get_error(ssl, done);
    if (error == SSL_ERROR_WANT_READ) return {};
    if (error != SSL_ERROR_ZERO_RETURN) return broken();
    has_ended = true;
  }
  return {};
}

void Tls::Impl::write(base::ByteView plain) {
  if (plain.empty() || is_closed || is_broken) return;
  ERR_clear_error();
  std::size_t taken = 0;
  // The sink takes everything and nothing renegotiates, so it is all or a failure for good.
  if (SSL_write_ex(ssl, plain.data(), plain.size(), &taken) != 1) is_broken = true;
}

Tls::Tls(std::shared_ptr<const TlsContext> context, const std::string& server_name)
    : impl_(std::make_unique<Impl>()) {
  impl_->ssl = SSL_new(context->native());
  ASSERT(impl_->ssl);
  impl_->context = std::move(context);
  SSL_set_bio(impl_->ssl, make_source(impl_->input), make_sink(impl_->output));
  if (impl_->context->role() == TlsContext::Role::server) {
    SSL_set_accept_state(impl_->ssl);
    return;
  }
  if (!server_name.empty()) {
    SSL_ctrl(impl_->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(server_name.c_str()));
    SSL_set1_host(impl_->ssl, server_name.c_str());
  }
  SSL_set_connect_state(impl_->ssl);
  [[maybe_unused]] auto begun = impl_->shake_hands();
}
Tls::~Tls() = default;

base::Result<> Tls::feed(base::ByteView bytes, base::Bytes& plain) {
  if (impl_->is_broken)
    return base::fail(base::ErrorCode::frame_error, "TLS: the connection is broken");
  impl_->input = bytes;
  if (!impl_->is_established) TRY(impl_->shake_hands());
  if (impl_->is_established) TRY(impl_->read(plain));
  impl_->input = {};
  return {};
}

void Tls::send(base::ByteView plain) {
  if (impl_->is_established)
    impl_->write(plain);
  else
    impl_->early.append(plain);
}

void Tls::close() {
  if (impl_->is_established && !impl_->is_closed && !impl_->is_broken) {
    ERR_clear_error();
    SSL_shutdown(impl_->ssl);
  }
  impl_->is_closed = true;
}

base::Bytes& Tls::output() {
  return impl_->output;
}
bool Tls::is_established() const {
  return impl_->is_established;
}
bool Tls::has_ended() const {
  return impl_->has_ended;
}

TlsFacts Tls::facts() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(impl_->ssl);
  ASSERT(cipher);
  TlsFacts facts{lower_version(impl_->ssl), key_exchange_of(cipher), cipher_of(cipher),
                 hash_of(cipher), {}};
  if (const X509* peer = SSL_get0_peer_certificate(impl_->ssl))
    facts.peer = read_certificate(*peer);
  return facts;
}

}  // namespace warren::net
