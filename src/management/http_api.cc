#include "management/http_api.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "broker/password.h"
#include "management/http_call.h"
#include "management/http_lists.h"

namespace warren::management {
namespace {

constexpr std::string_view page =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<title>Warren</title></head>\n<body><h1>Warren</h1>\n"
    "<p>A message broker for clients of RabbitMQ. This node answers the HTTP API under "
    "<code>/api/</code>, for instance <a href=\"api/overview\">/api/overview</a>.</p>\n"
    "</body></html>\n";

const std::vector<HttpRoute>& routes() {
  static const std::vector<HttpRoute> all = [] {
    std::vector<HttpRoute> list;
    for (auto family : {overview_routes(), health_routes(), queue_routes(), message_routes(),
                        publish_routes(), exchange_routes(), user_routes(), vhost_routes(),
                        policy_routes(), limit_routes(), client_routes()})
      list.insert(list.end(), family.begin(), family.end());
    return list;
  }();
  return all;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

/// Whether the segments fit the pattern; `variables` receives what the stars took.
bool fits(std::string_view pattern, const std::vector<std::string_view>& segments,
          std::vector<std::string>& variables) {
  const std::vector<std::string_view> parts = split(pattern, '/');
  if (parts.size() != segments.size()) return false;
  variables.clear();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] != "*" && parts[i] != segments[i]) return false;
    if (parts[i] != "*") continue;
    auto decoded = decode_percent(segments[i]);
    if (!decoded) return false;
    variables.push_back(std::move(*decoded));
  }
  return true;
}

ListQuery parse_query(std::string_view text) {
  ListQuery query;
  if (text.empty()) return query;
  for (std::string_view part : split(text, '&')) {
    const std::size_t equals = part.find('=');
    std::string value(equals == std::string_view::npos ? "" : part.substr(equals + 1));
    std::ranges::replace(value, '+', ' ');
    auto name = decode_percent(part.substr(0, equals));
    auto decoded = decode_percent(value);
    if (name && decoded) query[*name] = *decoded;
  }
  return query;
}

HttpPower power_of(const broker::Login& login) {
  HttpPower power = HttpPower::none;
  for (const std::string& tag : login.tags) {
    HttpPower of_tag = HttpPower::none;
    if (tag == "management") of_tag = HttpPower::management;
    if (tag == "policymaker") of_tag = HttpPower::policymaker;
    if (tag == "monitoring") of_tag = HttpPower::monitoring;
    if (tag == "administrator") of_tag = HttpPower::administrator;
    power = std::max(power, of_tag);
  }
  return power;
}

bool is_loopback(std::string_view host) {
  return host.starts_with("127.") || host == "::1" || host.starts_with("::ffff:127.");
}

/// Who asks, by the header; empty when it does not say.
std::optional<broker::LoginRequest> read_login(std::string_view header) {
  if (header.size() < 6 || (!header.starts_with("Basic ") && !header.starts_with("basic ")))
    return std::nullopt;
  std::string_view encoded = header.substr(6);
  while (encoded.starts_with(' ')) encoded.remove_prefix(1);
  auto decoded = broker::decode_base64(encoded);
  if (!decoded) return std::nullopt;
  const std::size_t colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return broker::LoginRequest{decoded->substr(0, colon), decoded->substr(colon + 1)};
}

void refuse_login(const std::function<void(HttpResponse)>& answer) {
  HttpResponse response;
  response.status = 401;
  response.body = R"({"error":"not_authorized","reason":"Login failed"})";
  response.headers.emplace_back("www-authenticate", "Basic realm=\"RabbitMQ Management\"");
  answer(std::move(response));
}

void refuse_power(const HttpCall& call, HttpPower needed) {
  const char* reason = "Access refused.";
  if (needed == HttpPower::administrator) reason = "Not administrator user";
  if (needed == HttpPower::monitoring) reason = "Not monitor user";
  if (needed == HttpPower::policymaker) reason = "User not authorised to access object";
  call.answer_error(401, "not_authorised", text_json(reason));
}

/// policymaker and monitoring are siblings: neither includes the other.
bool has_power(HttpPower power, HttpPower needed) {
  if (needed == HttpPower::policymaker)
    return power == HttpPower::policymaker || power == HttpPower::administrator;
  return power >= needed;
}

void run_route(const HttpRoute& route, HttpCall& call) {
  call.handle = route.handle;
  if (!has_power(call.power, route.power)) return refuse_power(call, route.power);
  if (route.has_vhost) {
    const std::string& vhost = call.path[0];
    if (!call.catalog().find_vhost(vhost)) {
      if (call.method == "GET") return call.not_found();
      return call.answer_error(404, "not_found", text_json("vhost_not_found"));
    }
    if (!call.sees_vhost(vhost))
      return call.answer_error(401, "not_authorised",
                               text_json("User not authorised to access virtual host"));
  }
  route.handle(call);
}

void dispatch(HttpCall& call, const std::vector<std::string_view>& segments) {
  std::string allowed;
  for (const HttpRoute& route : routes()) {
    if (!fits(route.pattern, segments, call.path)) continue;
    if (route.method == call.method) return run_route(route, call);
    allowed += fmt::format("{}{}", route.method == "GET" ? "HEAD, " : "", route.method) + ", ";
  }
  if (allowed.empty()) return call.not_found();
  HttpResponse response;
  response.status = call.method == "OPTIONS" ? 200 : 405;
  response.headers.emplace_back("allow", allowed + "OPTIONS");
  call.answer(std::move(response));
}

}  // namespace

bool HttpApi::knows_sender(const HttpRequest& head) const {
  auto login = read_login(head.authorization);
  if (!login || !operations_.gateway()) return false;
  // A back end that takes its time may know the sender: the request is judged when it is whole.
  auto is_known = std::make_shared<bool>(true);
  operations_.authorizer()->log_in(
      nullptr, std::move(*login),
      [is_known, is_local = is_loopback(head.peer_host),
       loopback_users = operations_.loopback_users()](const base::Result<broker::Login>& who) {
        *is_known = who && broker::check_place(who->user, is_local, loopback_users) &&
                    power_of(*who) != HttpPower::none;
      });
  return *is_known;
}

void HttpApi::handle(const HttpRequest& request, std::function<void(HttpResponse)> answer) {
  auto answer_dated = [answer = std::move(answer), ms = operations_.wall_clock_ms()](
                          HttpResponse response) {
    const auto when = fmt::gmtime(static_cast<std::time_t>(ms / 1000));
    response.headers.emplace_back("date", fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", when));
    answer(std::move(response));
  };
  if (request.path == "/" || request.path == "/index.html") {
    HttpResponse response;
    response.body = page;
    response.content_type = "text/html";
    return answer_dated(std::move(response));
  }
  HttpCall call;
  call.operations = &operations_;
  call.method = request.method;
  call.answer = answer_dated;
  if (!request.path.starts_with("/api/")) return call.not_found();
  if (!call.is_served()) return;
  call.query = parse_query(request.query);
  call.body = request.body;
  call.reason = request.reason;
  auto login = read_login(request.authorization);
  if (!login) return refuse_login(answer_dated);
  operations_.authorizer()->log_in(
      nullptr, std::move(*login),
      [call, path = request.path.substr(5),
       is_local = is_loopback(request.peer_host)](base::Result<broker::Login> who) mutable {
        if (!call.is_served()) return;
        if (!who || !broker::check_place(who->user, is_local, call.operations->loopback_users()))
          return refuse_login(call.answer);
        call.login = std::move(*who);
        call.power = power_of(call.login);
        if (call.power == HttpPower::none) return refuse_login(call.answer);
        if (path.size() > 1 && path.ends_with('/')) path.pop_back();
        dispatch(call, split(path, '/'));
      });
}

}  // namespace warren::management
