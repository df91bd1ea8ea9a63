#include "management/http_call.h"

#include <fmt/format.h>

#include "broker/equivalence.h"
#include "management/http_lists.h"

namespace warren::management {
namespace {

using base::ErrorCode;

HttpResponse json_response(int status, const Json& value) {
  HttpResponse response;
  response.status = status;
  response.body = print_json(value);
  return response;
}

void answer_shaped(const HttpCall& call, const Json& value) {
  HttpResponse response = json_response(200, value);
  response.headers.emplace_back("cache-control", "no-cache");
  call.answer(std::move(response));
}

}  // namespace

bool HttpCall::sees_vhost(std::string_view vhost) const {
  if (is_administrator()) return true;
  if (power == HttpPower::monitoring && method == "GET") return true;
  broker::Authorizer* authorizer = operations->authorizer();
  return authorizer && authorizer->check_vhost(login, vhost);
}

bool HttpCall::is_served() const {
  if (operations->gateway()) return true;
  answer_error(503, "service_unavailable",
               text_json("the broker application does not run on this node"));
  return false;
}

std::string HttpCall::query_value(std::string_view name) const {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

void HttpCall::answer_json(Json value) const {
  answer_shaped(*this, shape_object(std::move(value), query));
}

void HttpCall::answer_list(JsonArray list) const {
  auto shaped = shape_list(std::move(list), query);
  if (!shaped)
    return answer_error(400, "page_out_of_range", text_json(shaped.error().text));
  answer_shaped(*this, *shaped);
}

void HttpCall::answer_status(int status) const {
  HttpResponse response;
  response.status = status;
  answer(std::move(response));
}

void HttpCall::answer_error(int status, std::string_view error, const Json& reason) const {
  answer(json_response(status, JsonObject{{"error", text_json(error)}, {"reason", reason}}));
}

void HttpCall::bad_request(std::string_view reason) const {
  answer_error(400, "bad_request", text_json(reason));
}

void HttpCall::not_found() const { answer_error(404, "Object Not Found", text_json("Not Found")); }

void HttpCall::refused() const {
  answer_error(401, "not_authorised", text_json("Access refused."));
}

void HttpCall::answer_failure(const base::Error& error) const {
  switch (error.code) {
    case ErrorCode::access_refused: return refused();
    case ErrorCode::not_found: return not_found();
    case ErrorCode::timeout:
    case ErrorCode::unavailable:
      return answer_error(503, "service_unavailable", text_json(error.text));
    case ErrorCode::internal:
    case ErrorCode::io: return answer_error(500, "internal_error", text_json(error.text));
    default: return bad_request(error.text);
  }
}

std::optional<JsonObject> HttpCall::object_body(
    std::initializer_list<std::string_view> needed) const {
  auto parsed = parse_json(body.empty() ? std::string_view("{}") : std::string_view(body));
  if (!parsed || !parsed->is_object()) {
    bad_request("not_json");
    return std::nullopt;
  }
  JsonObject& object = parsed->get_object();
  std::string missing;
  for (std::string_view name : needed)
    if (!object.contains({name.data(), name.size()}))
      missing += fmt::format("{}{{key_missing,{}}}", missing.empty() ? "" : ",", name);
  if (missing.empty()) return std::move(object);
  bad_request("[" + missing + "]");
  return std::nullopt;
}

void HttpCall::propose(const catalog::Command& change, int status) const {
  operations->propose(change, [call = *this, status](base::Result<catalog::Applied> result) {
    if (!result) return call.answer_failure(result.error());
    call.answer_status(status);
  });
}

bool HttpCall::may(const catalog::ResourceName& name, broker::ResourceKind kind,
                   broker::Access access) const {
  return accept(authorizer().check(login, name.vhost, kind, name.name, access));
}

bool HttpCall::accept(const base::Result<>& allowed) const {
  if (!allowed && !asks_first()) refused();
  return allowed.has_value();
}

bool HttpCall::asks_first() const {
  return authorizer().wait(login, nullptr, [again = *this] {
    if (again.is_served()) again.handle(again);
  });
}

bool HttpCall::is_shared(const catalog::Queue& queue) const {
  const auto shared = broker::check_exclusive_access(queue, {});
  if (!shared) answer_failure(shared.error());
  return shared.has_value();
}

JsonObject no_rate() { return {{"rate", 0.0}}; }

std::optional<bool> lenient_bool(const Json& value) {
  if (value.is_bool()) return value.get_bool();
  if (value.is_string() && text_of(value.get_string()) == "true") return true;
  if (value.is_string() && text_of(value.get_string()) == "false") return false;
  return std::nullopt;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::vector<std::string> tags_from(const Json* value) {
  std::vector<std::string> tags;
  if (!value) return tags;
  if (const JsonArray* list = value->if_array())
    for (const Json& tag : *list)
      if (tag.is_string()) tags.emplace_back(text_of(tag.get_string()));
  if (const boost::json::string* joined = value->if_string()) {
    std::string_view text = text_of(*joined);
    while (!text.empty()) {
      const std::size_t comma = text.find(',');
      std::string_view tag = text.substr(0, comma);
      while (tag.starts_with(' ')) tag.remove_prefix(1);
      while (tag.ends_with(' ')) tag.remove_suffix(1);
      if (!tag.empty()) tags.emplace_back(tag);
      text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
  }
  return tags;
}

JsonArray texts_json(const std::vector<std::string>& texts) {
  JsonArray list;
  for (const std::string& text : texts) list.push_back(text_json(text));
  return list;
}

}  // namespace warren::management
