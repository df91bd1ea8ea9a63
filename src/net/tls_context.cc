#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "net/tls_error.h"

namespace warren::net {
namespace {

constexpr std::chrono::seconds look_interval(1);
/// What a peer may send as its chain.
constexpr long max_chain_bytes = 64 * 1024;

struct Version {
  std::string_view name;
  int number;
  std::uint64_t excluded_by;
};

constexpr Version versions[] = {
    {"tlsv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
    {"tlsv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {"tlsv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {"tlsv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};

std::unexpected<base::Error> refused(std::string_view what) {
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("{}: {}", what, take_openssl_errors()));
}

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

int give_password(char* buffer, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  const int length = std::min(size, static_cast<int>(text.size()));
  std::memcpy(buffer, text.data(), static_cast<std::size_t>(length));
  return length;
}

base::Result<> set_versions(SSL_CTX* context, const TlsOptions& options) {
  std::vector<std::string> wanted = options.versions;
  if (wanted.empty()) wanted = {"tlsv1.2", "tlsv1.3"};
  for (const std::string& name : wanted)
    if (std::ranges::find(versions, name, &Version::name) == std::end(versions))
      return base::fail(base::ErrorCode::invalid_argument,
                        fmt::format("there is no TLS version named '{}'", name));
  int lowest = 0;
  for (const Version& version : versions) {
    if (std::ranges::find(wanted, version.name) == wanted.end())
      SSL_CTX_set_options(context, version.excluded_by);
    else if (lowest == 0)
      lowest = version.number;
  }
  SSL_CTX_set_min_proto_version(context, lowest);
  // These two sign with SHA-1, which the usual level refuses; who names them wants them.
  if (lowest < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
  return {};
}

base::Result<> set_ciphers(SSL_CTX* context, const std::vector<std::string>& names) {
  std::string of_old_versions, of_new_versions;
  for (const std::string& name : names) {
    std::string& list = name.starts_with("TLS_") ? of_new_versions : of_old_versions;
    if (!list.empty()) list += ':';
    list += name;
  }
  if (!of_old_versions.empty() && SSL_CTX_set_cipher_list(context, of_old_versions.c_str()) != 1)
    return refused("no usable ciphers in " + of_old_versions);
  if (!of_new_versions.empty() && SSL_CTX_set_ciphersuites(context, of_new_versions.c_str()) != 1)
    return refused("no usable ciphers in " + of_new_versions);
  return {};
}

base::Result<> load_certificate(SSL_CTX* context, const TlsIdentity& options) {
  const std::string& certificate = options.certificate_file;
  if (certificate.empty()) return {};
  const std::string& key = options.key_file.empty() ? certificate : options.key_file;
  SSL_CTX_set_default_passwd_cb(context, give_password);
  SSL_CTX_set_default_passwd_cb_userdata(context, const_cast<std::string*>(&options.password));
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return refused("cannot use the certificate in " + certificate);
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return refused("cannot use the key in " + key);
  if (SSL_CTX_check_private_key(context) != 1)
    return refused("the key in " + key + " does not belong to the certificate");
  SSL_CTX_set_default_passwd_cb(context, nullptr);
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  return {};
}

base::Result<> set_verification(SSL_CTX* context, TlsContext::Role role,
                                const TlsOptions& options) {
  // Also without verification: OpenSSL takes from here what a certificate's own file leaves out
  // of its chain.
  if (!options.ca_file.empty() && SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1)
    return refused("cannot use the certificates in " + options.ca_file);
  if (!options.verify_peer) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return {};
  }
  if (options.ca_file.empty())
    return base::fail(base::ErrorCode::invalid_argument, "verify_peer needs a cacertfile");
  int mode = SSL_VERIFY_PEER;
  if (options.fail_if_no_peer_cert) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode, nullptr);
  SSL_CTX_set_verify_depth(context, options.depth);
  if (role == TlsContext::Role::server) {
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.ca_file.c_str()));
    // A resumed session would not look at the client's certificate again.
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
  }
  return {};
}

}  // namespace

base::Result<std::shared_ptr<const TlsContext>> TlsContext::make(Role role,
                                                                 const TlsOptions& options) {
  ERR_clear_error();
  SSL_CTX* native = SSL_CTX_new(role == Role::server ? TLS_server_method() : TLS_client_method());
  if (!native) return refused("no TLS");
  std::shared_ptr<TlsContext> context(new TlsContext(role, native));
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (options.honor_cipher_order) SSL_CTX_set_options(native, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(native, 1);
  SSL_CTX_set_max_cert_list(native, max_chain_bytes);
  if (role == Role::server && options.certificate_file.empty())
    return base::fail(base::ErrorCode::invalid_argument, "TLS needs a certfile");
  TRY(set_versions(native, options));
  TRY(set_ciphers(native, options.ciphers));
  TRY(load_certificate(native, options));
  TRY(set_verification(native, role, options));
  TRY(context->add_hosts(options));
  return context;
}

base::Result<> TlsContext::add_hosts(const TlsOptions& options) {
  if (options.hosts.empty()) return {};
  // All else is the same for all: OpenSSL looks at the host's context for some of it only.
  TlsOptions of_host = options;
  of_host.hosts.clear();
  for (const auto& [name, identity] : options.hosts) {
    static_cast<TlsIdentity&>(of_host) = identity;
    auto made = make(role_, of_host);
    if (!made)
      return base::fail(made.error().code, fmt::format("host {}: {}", name, made.error().text));
    hosts_.emplace(name, std::move(*made));
  }
  SSL_CTX_callback_ctrl(context_, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(choose_host));
  SSL_CTX_ctrl(context_, SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, this);
  return {};
}

int TlsContext::choose_host(SSL* connection, int*, void* self) {
  const char* asked = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  if (!asked) return SSL_TLSEXT_ERR_NOACK;
  const auto& hosts = static_cast<const TlsContext*>(self)->hosts_;
  const auto found = hosts.find(lower_case(asked));
  if (found == hosts.end()) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_SSL_CTX(connection, found->second->native());
  return SSL_TLSEXT_ERR_OK;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

base::Result<std::shared_ptr<TlsCredentials>> TlsCredentials::open(TlsOptions options) {
  std::shared_ptr<TlsCredentials> credentials(new TlsCredentials(std::move(options)));
  credentials->seen_ = credentials->stamps();
  TRY_ASSIGN(credentials->context_,
             TlsContext::make(TlsContext::Role::server, credentials->options_));
  return credentials;
}

TlsCredentials::Stamps TlsCredentials::stamps() const {
  Stamps stamps;
  auto add = [&stamps](const std::string& file) {
    struct stat found {};
    Stamp& stamp = stamps.emplace_back();
    if (file.empty() || ::stat(file.c_str(), &found) != 0) return;
    stamp = {found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec,
             static_cast<std::uint64_t>(found.st_size), found.st_ino};
  };
  auto add_both = [&add](const TlsIdentity& identity) {
    add(identity.certificate_file);
    add(identity.key_file);
  };
  add(options_.ca_file);
  add_both(options_);
  for (const auto& [name, identity] : options_.hosts) add_both(identity);
  return stamps;
}

const std::shared_ptr<const TlsContext>& TlsCredentials::context(base::Time now) {
  if (now < next_look_) return context_;
  next_look_ = now + look_interval;
  Stamps stamps = this->stamps();
  if (stamps == seen_) return context_;
  seen_ = std::move(stamps);
  if (auto made = TlsContext::make(TlsContext::Role::server, options_)) {
    context_ = std::move(*made);
    base::log_info("TLS: new connections get the renewed certificate in {}",
                   options_.certificate_file);
  } else {
    base::log_warning("TLS: the certificate stays as it was: {}", made.error().text);
  }
  return context_;
}

}  // namespace warren::net
