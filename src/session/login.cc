#include "session/login.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/field_value.h"

namespace warren::session::amqp091 {

namespace {

base::Result<Credentials> read_plain(base::ByteView response) {
  const std::size_t second = response.find('\0', 1);
  if (response.empty() || response[0] != '\0' || second == base::ByteView::npos)
    return base::fail(base::ErrorCode::invalid_argument, "malformed PLAIN response");
  return Credentials{std::string(response.substr(1, second - 1)),
                     std::string(response.substr(second + 1))};
}

base::Result<Credentials> read_amqplain(base::ByteView response) {
  TRY_ASSIGN(const base::FieldTable table, base::read_field_table_body(response));
  const base::FieldValue* login = table.find("LOGIN");
  const base::FieldValue* password = table.find("PASSWORD");
  const auto* login_text = login ? login->as<std::string>() : nullptr;
  const auto* password_text = password ? password->as<std::string>() : nullptr;
  if (login_text == nullptr || password_text == nullptr)
    return base::fail(base::ErrorCode::invalid_argument,
                      "AMQPLAIN response without LOGIN or PASSWORD");
  return Credentials{*login_text, *password_text};
}

}  // namespace

base::Result<Credentials> read_credentials(std::string_view mechanism, base::ByteView response) {
  if (mechanism == "PLAIN") return read_plain(response);
  if (mechanism == "AMQPLAIN") return read_amqplain(response);
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("unknown authentication mechanism '{}'", mechanism));
}

base::Result<std::string> certificate_user(const PeerInfo& peer) {
  if (!peer.tls || !peer.tls->has_certificate)
    return base::fail(base::ErrorCode::access_refused,
                      "connection peer presented no TLS (x.509) certificate");
  if (peer.tls->certificate_user.empty())
    return base::fail(base::ErrorCode::access_refused, "no name found");
  return peer.tls->certificate_user;
}

std::string offered_mechanisms(const Environment& environment, const PeerInfo& peer) {
  std::string offer;
  for (const std::string& mechanism : environment.mechanisms) {
    if (!is_offered(mechanism, environment, peer)) continue;
    if (!offer.empty()) offer += ' ';
    offer += mechanism;
  }
  return offer;
}

bool is_offered(std::string_view mechanism, const Environment& environment, const PeerInfo& peer) {
  if (mechanism == external_mechanism && !peer.tls) return false;
  return std::ranges::find(environment.mechanisms, mechanism) != environment.mechanisms.end();
}

}  // namespace warren::session::amqp091
