#include "session/login.h"

#include <fmt/format.h>

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

}  // namespace warren::session::amqp091
