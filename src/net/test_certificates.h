#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// Certificates for tests, made on the spot, in a folder that goes with them.
namespace warren::net {

template <auto Free>
struct FreeWith {
  void operator()(auto* value) const { Free(value); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;

class TestAuthority {
 public:
  using Name = std::vector<std::pair<std::string, std::string>>;

  TestAuthority() : TestAuthority({{"CN", "Test CA"}}, nullptr) {}
  /// One that another authority has signed.
  TestAuthority(const Name& name, TestAuthority& above) : TestAuthority(name, &above) {}
  ~TestAuthority() { std::filesystem::remove_all(folder_); }
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  std::string path(const std::string& file) const { return folder_ + "/" + file; }
  std::string ca_file() const { return path("ca.pem"); }

  /// Writes <file>.pem and <file>.key, and gives the certificate; `names` as in "DNS:a,IP:::1".
  /// A part of the subject whose type begins with + stands together with the one before.
  CertificatePtr issue(const std::string& file, const Name& subject, const std::string& names) {
    KeyPtr key(EVP_EC_gen("P-256"));
    CertificatePtr certificate = make(subject, key.get(), names, false);
    write_certificate(file + ".pem", certificate.get());
    std::FILE* out = std::fopen(path(file + ".key").c_str(), "w");
    PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    return certificate;
  }

 private:
  TestAuthority(const Name& name, TestAuthority* above) {
    char pattern[] = "/tmp/warren-certificates-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    key_.reset(EVP_EC_gen("P-256"));
    certificate_ = (above ? above : this)->make(name, key_.get(), "", true);
    write_certificate("ca.pem", certificate_.get());
  }

  CertificatePtr make(const Name& subject, EVP_PKEY* key, const std::string& names,
                      bool is_authority) {
    CertificatePtr certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial_);
    ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate.get()), "20200101000000Z");
    ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate.get()), "20991231235959Z");
    X509_set_pubkey(certificate.get(), key);
    for (const auto& [type, value] : subject) {
      const bool is_together = type.starts_with('+');
      X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()),
                                 type.c_str() + (is_together ? 1 : 0), MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(value.data()),
                                 static_cast<int>(value.size()), -1, is_together ? -1 : 0);
    }
    X509* issuer = certificate_ ? certificate_.get() : certificate.get();
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
    if (is_authority) extend(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    if (!names.empty()) extend(certificate.get(), NID_subject_alt_name, names);
    X509_sign(certificate.get(), key_.get(), EVP_sha256());
    return certificate;
  }
  static void extend(X509* certificate, int type, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, type, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  void write_certificate(const std::string& file, X509* certificate) {
    std::FILE* out = std::fopen(path(file).c_str(), "w");
    PEM_write_X509(out, certificate);
    std::fclose(out);
  }

  std::string folder_;
  KeyPtr key_;
  CertificatePtr certificate_;
  long serial_ = 0;
};

}  // namespace warren::net
