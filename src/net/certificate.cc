#include "net/certificate.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace warren::net {
namespace {

std::string utf8_of(const ASN1_STRING* text) {
  unsigned char* bytes = nullptr;
  int size = ASN1_STRING_to_UTF8(&bytes, text);
  if (size < 0) return {};
  std::string copy(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return copy;
}

/// The types of a name's parts under the names that RabbitMQ writes.
std::string type_label(const ASN1_OBJECT* type) {
  switch (OBJ_obj2nid(type)) {
    case NID_surname: return "SN";
    case NID_givenName: return "GIVENNAME";
    case NID_initials: return "INITIALS";
    case NID_generationQualifier: return "GENERATIONQUALIFIER";
    case NID_commonName: return "CN";
    case NID_localityName: return "L";
    case NID_stateOrProvinceName: return "ST";
    case NID_organizationName: return "O";
    case NID_organizationalUnitName: return "OU";
    case NID_title: return "TITLE";
    case NID_countryName: return "C";
    case NID_serialNumber: return "SERIALNUMBER";
    case NID_pseudonym: return "PSEUDONYM";
    case NID_domainComponent: return "DC";
    case NID_pkcs9_emailAddress: return "EMAILADDRESS";
    case NID_streetAddress: return "STREET";
    case NID_userId: return "UID";
    default: break;
  }
  char text[80] = {};
  OBJ_obj2txt(text, sizeof text, type, 1);
  return text;
}

/// RFC 4514, section 2.4, in RabbitMQ's form: what is no plain ASCII stands as the codes of its
/// octets, so that the name of a user is plain ASCII, too.
std::string escape_value(std::string_view value) {
  std::string escaped;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const auto octet = static_cast<unsigned char>(c);
    if (octet < ' ' || octet >= '~') {
      escaped += fmt::format("\\{:02X}", octet);
      continue;
    }
    const bool is_edge_space = c == ' ' && (i == 0 || i + 1 == value.size());
    if (is_edge_space || (c == '#' && i == 0) ||
        std::string_view(",+\"\\<>;").find(c) != std::string_view::npos)
      escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string part_text(const X509_NAME_ENTRY* entry) {
  return type_label(X509_NAME_ENTRY_get_object(entry)) + "=" +
         escape_value(utf8_of(X509_NAME_ENTRY_get_data(entry)));
}

/// The last part of the name comes first; parts that stand together stay in their order.
std::string name_text(const X509_NAME* name) {
  std::string text;
  for (int end = X509_NAME_entry_count(name); end > 0;) {
    const int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end - 1));
    int begin = end - 1;
    while (begin > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, begin - 1)) == set) --begin;
    if (!text.empty()) text += ',';
    for (int i = begin; i < end; ++i)
      text += (i > begin ? "+" : "") + part_text(X509_NAME_get_entry(name, i));
    end = begin;
  }
  return text;
}

std::string time_text(const ASN1_TIME* time) {
  tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return "unknown";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", fields.tm_year + 1900,
                     fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min,
                     fields.tm_sec);
}

std::string address_text(const ASN1_OCTET_STRING* octets) {
  char text[INET6_ADDRSTRLEN] = {};
  const unsigned char* bytes = ASN1_STRING_get0_data(octets);
  const int size = ASN1_STRING_length(octets);
  if (size == 4) inet_ntop(AF_INET, bytes, text, sizeof text);
  if (size == 16) inet_ntop(AF_INET6, bytes, text, sizeof text);
  return text;
}

Certificate::AlternativeName alternative_name(const GENERAL_NAME& name) {
  using enum Certificate::NameType;
  switch (name.type) {
    case GEN_DNS: return {dns, utf8_of(name.d.dNSName)};
    case GEN_IPADD: return {ip, address_text(name.d.iPAddress)};
    case GEN_EMAIL: return {email, utf8_of(name.d.rfc822Name)};
    case GEN_URI: return {uri, utf8_of(name.d.uniformResourceIdentifier)};
    case GEN_OTHERNAME:
      if (name.d.otherName->value->type == V_ASN1_UTF8STRING)
        return {other, utf8_of(name.d.otherName->value->value.utf8string)};
      break;
    default: break;
  }
  return {other, {}};
}

}  // namespace

std::optional<std::string> Certificate::alternative_name(NameType type, std::size_t index) const {
  for (const AlternativeName& name : alternative_names)
    if (name.type == type && index-- == 0) return name.text;
  return {};
}

Certificate read_certificate(const x509_st& certificate) {
  Certificate facts;
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  facts.subject = name_text(subject);
  facts.issuer = name_text(X509_get_issuer_name(&certificate));
  facts.validity = time_text(X509_get0_notBefore(&certificate)) + " - " +
                   time_text(X509_get0_notAfter(&certificate));
  for (int i = -1;;) {
    i = X509_NAME_get_index_by_NID(subject, NID_commonName, i);
    if (i < 0) break;
    facts.common_names.push_back(
        utf8_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i))));
  }
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i)
    facts.alternative_names.push_back(alternative_name(*sk_GENERAL_NAME_value(names.get(), i)));
  return facts;
}

}  // namespace warren::net
