#include "perf/uri.h"

#include <fmt/format.h>

#include <charconv>

#include "management/json.h"

namespace warren::perf {

namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

Result<std::string> decode(std::string_view text, std::string_view whole) {
  auto decoded = management::decode_percent(text);
  if (!decoded)
    return fail(ErrorCode::invalid_argument, fmt::format("malformed %-escape in URI '{}'", whole));
  return *std::move(decoded);
}

Result<> parse_address(std::string_view text, Uri& uri, std::string_view whole) {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos)
      return fail(ErrorCode::invalid_argument, fmt::format("no ']' in URI '{}'", whole));
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (port.starts_with(':')) port.remove_prefix(1);
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  if (!host.empty()) uri.host = host;
  if (port.empty()) return {};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), uri.port);
  if (error != std::errc{} || end != port.data() + port.size() || uri.port == 0)
    return fail(ErrorCode::invalid_argument, fmt::format("bad port '{}' in URI '{}'", port, whole));
  return {};
}

}  // namespace

Result<Uri> parse_uri(std::string_view text) {
  constexpr std::string_view scheme = "amqp://";
  if (!text.starts_with(scheme))
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no URI of a broker: amqp://user:password@host:port/vhost",
                            text));
  Uri uri;
  std::string_view rest = text.substr(scheme.size());
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    TRY_ASSIGN(uri.vhost, decode(rest.substr(slash + 1), text));
    if (uri.vhost.empty()) uri.vhost = "/";
    rest = rest.substr(0, slash);
  }
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = rest.substr(0, at);
    const auto colon = login.find(':');
    TRY_ASSIGN(uri.user, decode(login.substr(0, colon), text));
    if (colon != std::string_view::npos) {
      TRY_ASSIGN(uri.password, decode(login.substr(colon + 1), text));
    }
    rest = rest.substr(at + 1);
  }
  TRY(parse_address(rest, uri, text));
  return uri;
}

}  // namespace warren::perf
