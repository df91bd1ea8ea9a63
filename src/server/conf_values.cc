#include "server/conf_values.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

namespace warren::server {
namespace {

std::unexpected<base::Error> expected(std::string_view what, std::string_view text) {
  return base::fail(base::ErrorCode::invalid_argument, fmt::format("'{}' is not {}", text, what));
}

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

constexpr Unit units[] = {
    {"", 1},
    {"k", 1ull << 10},
    {"kiB", 1ull << 10},
    {"Ki", 1ull << 10},
    {"kB", 1000},
    {"KB", 1000},
    {"kb", 1000},
    {"K", 1ull << 10},
    {"M", 1ull << 20},
    {"m", 1ull << 20},
    {"MiB", 1ull << 20},
    {"Mi", 1ull << 20},
    {"MB", 1000'000},
    {"mb", 1000'000},
    {"G", 1ull << 30},
    {"g", 1ull << 30},
    {"GiB", 1ull << 30},
    {"Gi", 1ull << 30},
    {"GB", 1000'000'000},
    {"gb", 1000'000'000},
    {"TiB", 1ull << 40},
    {"Ti", 1ull << 40},
    {"TB", 1000'000'000'000},
};

}  // namespace

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  std::string_view suffix = trim(text.substr(static_cast<std::size_t>(end - text.data())));
  for (const Unit& unit : units) {
    if (unit.suffix != suffix) continue;
    if (number > UINT64_MAX / unit.factor) return {};
    return number * unit.factor;
  }
  return {};
}

base::Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t lowest,
                                         std::uint64_t highest) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < lowest || value > highest)
    return expected(fmt::format("a number from {} to {}", lowest, highest), text);
  return value;
}

base::Result<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "on") return true;
  if (text == "false" || text == "off") return false;
  return expected("true or false", text);
}

base::Result<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress address;
  std::string_view port = text;
  if (auto colon = text.rfind(':'); colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    address.address = host == "::" ? std::string_view() : host;
    port = text.substr(colon + 1);
  }
  auto number = parse_number(port, 1, 65535);
  if (!number) return expected("a port, or an address and a port", text);
  address.port = static_cast<std::uint16_t>(*number);
  return address;
}

base::Result<base::LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return base::LogLevel::debug;
  if (text == "info" || text == "notice") return base::LogLevel::info;
  if (text == "warning" || text == "warn") return base::LogLevel::warning;
  if (text == "error" || text == "critical" || text == "alert" || text == "emergency" ||
      text == "none")
    return base::LogLevel::error;
  return expected("a log level", text);
}

base::Result<std::string> auth_backend_name(std::string_view name) {
  if (name == internal_backend || name == "rabbit_auth_backend_internal")
    return std::string(internal_backend);
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("there is no authentication back end '{}' here, only 'internal': "
                                "take it out, and make the users with 'rabbitmqctl add_user' and "
                                "'set_permissions'",
                                name));
}

base::Result<> set_auth_backend(std::string_view place, std::string_view name,
                                Configuration& configuration) {
  const std::size_t dot = place.find('.');
  const std::string_view half = dot == std::string_view::npos ? "" : place.substr(dot + 1);
  if (!half.empty() && half != "authn" && half != "authz")
    return expected("a place such as 1, 1.authn or 1.authz", place);
  TRY_ASSIGN(const auto number, parse_number(place.substr(0, dot), 0, UINT32_MAX));
  TRY_ASSIGN(std::string known, auth_backend_name(name));
  AuthLinkConfig& link = configuration.auth_backends[static_cast<std::uint32_t>(number)];
  if (half != "authz") link.authenticates = known;
  if (half != "authn") link.authorizes = {known};
  if (link.authenticates.empty()) link.authenticates = known;
  if (link.authorizes.empty()) link.authorizes = {known};
  return {};
}

base::Result<double> parse_factor(std::string_view text) {
  std::string copy(text);
  char* end = nullptr;
  double value = std::strtod(copy.c_str(), &end);
  if (copy.empty() || *end != '\0' || !std::isfinite(value) || value < 0)
    return expected("a number from 0.0 on", text);
  return value;
}

base::Result<double> parse_share(std::string_view text) {
  auto value = parse_factor(text);
  if (!value || *value > 1) return expected("a share from 0.0 to 1.0", text);
  return value;
}

}  // namespace warren::server
