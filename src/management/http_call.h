#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/permission.h"
#include "management/http_connection.h"
#include "management/json.h"
#include "management/operations.h"

namespace warren::management {

/// What a user may do here, by tags. Each level includes those before it.
enum class HttpPower { none, management, policymaker, monitoring, administrator };

/// One authenticated request to the HTTP API. Whoever handles it calls `answer` exactly once.
struct HttpCall {
  Operations* operations;
  std::string method;
  broker::Login login;
  HttpPower power = HttpPower::none;
  void (*handle)(const HttpCall& call) = nullptr;  ///< what the route does
  std::vector<std::string> path;  ///< the variable segments, decoded
  std::map<std::string, std::string, std::less<>> query;
  std::string body;
  std::string reason;  ///< X-Reason
  std::function<void(HttpResponse)> answer;

  /// The catalog; only while the application runs.
  const catalog::Catalog& catalog() const { return operations->gateway()->catalog(); }
  bool is_administrator() const { return power == HttpPower::administrator; }
  /// Whether the user sees what is in that vhost.
  bool sees_vhost(std::string_view vhost) const;
  std::string query_value(std::string_view name) const;
  /// Answers 503 and gives false while the application does not run.
  bool is_served() const;

  /// An object is cut to the columns that the query asks for.
  void answer_json(Json value) const;
  /// A list, sorted, cut and filtered as the query asks.
  void answer_list(JsonArray list) const;
  void answer_status(int status) const;
  void answer_error(int status, std::string_view error, const Json& reason) const;
  void bad_request(std::string_view reason) const;
  void not_found() const;
  void refused() const;  ///< 401 "Access refused."
  /// What an error of the broker's means here.
  void answer_failure(const base::Error& error) const;

  /// The body as an object; answers 400 and gives empty when it is none, or lacks a member.
  std::optional<JsonObject> object_body(
      std::initializer_list<std::string_view> needed = {}) const;
  /// Proposes; answers with that status or with the failure.
  void propose(const catalog::Command& change, int status) const;
  broker::Authorizer& authorizer() const { return *operations->authorizer(); }
  /// Answers 401 and gives false unless the authorizer has just allowed it. Also false when
  /// somebody has to be asked first; the call is handled again then.
  bool accept(const base::Result<>& allowed) const;
  bool may(const catalog::ResourceName& name, broker::ResourceKind kind,
           broker::Access access) const;
  /// The second half of `accept`, for what is answered otherwise.
  bool asks_first() const;
  /// Answers 400 and gives false when the queue is there for one connection only.
  bool is_shared(const catalog::Queue& queue) const;
};

struct HttpRoute {
  std::string_view method;
  std::string_view pattern;  ///< "queues/*/*/get": * takes one segment
  HttpPower power;           ///< the least that a user needs
  void (*handle)(const HttpCall& call);
  bool has_vhost = false;    ///< the first * is a vhost, which must exist and be seen
};

// The resources, a function for each family.
std::span<const HttpRoute> overview_routes();
std::span<const HttpRoute> health_routes();
std::span<const HttpRoute> queue_routes();
std::span<const HttpRoute> message_routes();
std::span<const HttpRoute> publish_routes();
std::span<const HttpRoute> exchange_routes();
std::span<const HttpRoute> user_routes();
std::span<const HttpRoute> vhost_routes();
std::span<const HttpRoute> policy_routes();
std::span<const HttpRoute> limit_routes();
std::span<const HttpRoute> client_routes();

/// {"rate":0.0}, which stands beside each counter.
JsonObject no_rate();
/// JSON's idea of a boolean, also as text; empty otherwise.
std::optional<bool> lenient_bool(const Json& value);
/// Clients know the texts of some refusals with < and > written for HTML.
std::string escape_html(std::string_view text);
/// Tags from "a,b" or ["a","b"].
std::vector<std::string> tags_from(const Json* value);
JsonArray texts_json(const std::vector<std::string>& texts);

}  // namespace warren::management
