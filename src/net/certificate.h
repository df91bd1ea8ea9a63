#pragma once

#include <optional>
#include <string>
#include <vector>

struct x509_st;

namespace warren::net {

/// What an X.509 certificate says about its holder. Texts are UTF-8.
struct Certificate {
  enum class NameType { dns, ip, email, uri, other };
  /// One subject alternative name, in text: "10.0.0.7", "client.example".
  struct AlternativeName {
    NameType type;
    std::string text;
    bool operator==(const AlternativeName&) const = default;
  };

  std::string subject;  ///< RFC 4514, the last part first: "CN=client,O=Warren,C=DE"
  std::string issuer;
  std::string validity;  ///< "2026-11-22T03:16:08Z - 2036-11-19T03:16:08Z"
  std::vector<std::string> common_names;
  std::vector<AlternativeName> alternative_names;

  /// The `index`-th alternative name of that type, from 0.
  std::optional<std::string> alternative_name(NameType type, std::size_t index) const;
};

/// Reads OpenSSL's form.
Certificate read_certificate(const x509_st& certificate);

}  // namespace warren::net
