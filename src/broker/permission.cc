#include "broker/permission.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace warren::broker {

using base::ErrorCode;

struct Authorizer::Attempt {
  Asker asker;
  Ticket ticket;
  LoginRequest request;
  Done done;
  Login login;
  std::size_t link = 0;
  std::string refusal = "no authentication back end";
};

bool Login::has_tag(std::string_view tag) const {
  return std::ranges::find(tags, tag) != tags.end();
}

base::Result<> check_place(std::string_view user, bool peer_is_loopback,
                           std::span<const std::string> loopback_users) {
  if (!peer_is_loopback && std::ranges::find(loopback_users, user) != loopback_users.end())
    return base::fail(ErrorCode::access_refused,
                      fmt::format("user '{}' can only connect via localhost", user));
  return {};
}

Authorizer::Authorizer(const catalog::Catalog& catalog) : catalog_(catalog) {
  const auto internal = make_internal_backend(catalog);
  chain_ = {{internal, {internal}}};
}

Authorizer::Authorizer(const catalog::Catalog& catalog, std::vector<AuthLink> chain)
    : catalog_(catalog), chain_(std::move(chain)) {}

Authorizer::Ticket Authorizer::take_ticket(Asker asker) {
  if (asker) waiting_[asker] = ++last_ticket_;
  return last_ticket_;
}

bool Authorizer::is_awaited(Asker asker, Ticket ticket) const {
  const auto found = waiting_.find(asker);
  return !asker || (found != waiting_.end() && found->second == ticket);
}

void Authorizer::log_in(Asker asker, LoginRequest request, Done done) {
  const Ticket ticket = take_ticket(asker);
  try_link(std::make_shared<Attempt>(
      Attempt{asker, ticket, std::move(request), std::move(done), {}, 0}));
}

void Authorizer::try_link(const std::shared_ptr<Attempt>& attempt) {
  if (attempt->link == chain_.size())
    return finish(attempt, base::fail(ErrorCode::access_refused, attempt->refusal));
  attempt->login = {attempt->request.user};
  chain_[attempt->link].authenticates->authenticate(
      attempt->request, [this, attempt](base::Result<> result) {
        if (!result) return try_next_link(attempt, std::move(result.error().text));
        authorize(attempt);
      });
}

void Authorizer::authorize(const std::shared_ptr<Attempt>& attempt) {
  Login& login = attempt->login;
  const auto& backends = chain_[attempt->link].authorizes;
  if (login.grants.size() == backends.size()) return finish(attempt, std::move(login));
  backends[login.grants.size()]->authorize(
      attempt->request, [this, attempt](base::Result<Authorization> result) {
        if (!result) return try_next_link(attempt, std::move(result.error().text));
        Login& granted = attempt->login;
        for (std::string& tag : result->tags)
          if (!granted.has_tag(tag)) granted.tags.push_back(std::move(tag));
        granted.grants.push_back(std::move(result->grants));
        authorize(attempt);
      });
}

void Authorizer::try_next_link(const std::shared_ptr<Attempt>& attempt, std::string refusal) {
  if (!is_awaited(attempt->asker, attempt->ticket)) return;
  attempt->refusal = std::move(refusal);
  ++attempt->link;
  try_link(attempt);
}

void Authorizer::finish(const std::shared_ptr<Attempt>& attempt, base::Result<Login> result) {
  if (!is_awaited(attempt->asker, attempt->ticket)) return;
  waiting_.erase(attempt->asker);
  attempt->done(std::move(result));
}

template <typename Question>
bool Authorizer::is_allowed(const Login& login, const Question& question) {
  undecided_login_ = nullptr;
  for (const auto& grants : login.grants) {
    const Decision decision = question(*grants);
    if (!decision) {
      undecided_login_ = &login;
      undecided_ = grants;
    }
    if (!decision.value_or(false)) return false;
  }
  return !login.grants.empty();
}

bool Authorizer::wait(const Login& login, Asker asker, std::function<void()> retry) {
  if (undecided_login_ != &login) return false;
  undecided_login_ = nullptr;
  const Ticket ticket = take_ticket(asker);
  const std::shared_ptr<Grants> grants = std::exchange(undecided_, nullptr);
  // These stay until they have called, even when the user has gone.
  grants->when_decided([this, grants, asker, ticket, retry = std::move(retry)] {
    if (!is_awaited(asker, ticket)) return;
    waiting_.erase(asker);
    retry();
  });
  return true;
}

base::Result<> Authorizer::check(const Login& login, std::string_view vhost, ResourceKind kind,
                                 std::string_view name, Access access) {
  if (kind == ResourceKind::exchange && name.empty()) name = "amq.default";
  if (is_allowed(login,
                 [&](Grants& grants) { return grants.may_access(vhost, kind, name, access); }))
    return {};
  std::string resource = resource_text(kind, {std::string(vhost), std::string(name)});
  return base::fail(ErrorCode::access_refused,
                    fmt::format("access to {} refused for user '{}'", resource, login.user));
}

base::Result<> Authorizer::check_topic(const Login& login, const catalog::Exchange& exchange,
                                       std::string_view routing_key, Access access) {
  if (exchange.type != "topic") return {};
  if (is_allowed(login, [&](Grants& grants) {
        return grants.may_use_key(exchange, routing_key, access);
      }))
    return {};
  return base::fail(ErrorCode::access_refused,
                    fmt::format("access to topic '{}' in {} refused for user '{}'", routing_key,
                                resource_text(ResourceKind::exchange, exchange.name), login.user));
}

base::Result<> Authorizer::check_forwarding(const Login& login, const catalog::ResourceName& from,
                                            ResourceKind kind, const base::FieldValue* exchange) {
  if (!exchange) return {};
  TRY(check(login, from.vhost, kind, from.name, Access::read));
  const auto* to = exchange->as<std::string>();
  return check(login, from.vhost, ResourceKind::exchange, to ? *to : std::string(), Access::write);
}

base::Result<> Authorizer::check_vhost(const Login& login, std::string_view vhost) {
  if (!catalog_.find_vhost(vhost))
    return base::fail(ErrorCode::not_allowed, fmt::format("vhost {} not found", vhost));
  if (!is_allowed(login, [vhost](Grants& grants) { return grants.may_enter(vhost); }))
    return base::fail(ErrorCode::not_allowed, fmt::format("access to vhost '{}' refused for user "
                                                          "'{}'",
                                                          vhost, login.user));
  return {};
}

}  // namespace warren::broker
