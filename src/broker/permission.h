#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/auth_backend.h"
#include "broker/resource.h"
#include "catalog/catalog.h"

namespace warren::broker {

/// A user who was let in. Its tags are those of that moment.
struct Login {
  std::string user;
  std::vector<std::string> tags = {};
  std::vector<std::shared_ptr<Grants>> grants = {};  ///< all of them have to allow; none: nothing

  bool has_tag(std::string_view tag) const;
};

/// access_refused "user 'guest' can only connect via localhost" for one of the `loopback_users`
/// whose peer is elsewhere; for the log.
base::Result<> check_place(std::string_view user, bool peer_is_loopback,
                           std::span<const std::string> loopback_users);

/// Lets users in, and answers what they may do, by asking a chain of back ends. One per shard; it
/// keeps no answers.
class Authorizer {
 public:
  /// The internal back end alone. `catalog` must outlive it.
  explicit Authorizer(const catalog::Catalog& catalog);
  Authorizer(const catalog::Catalog& catalog, std::vector<AuthLink> chain);

  /// Whom an answer is for, so that it can be done without; nullptr: for one who will be there.
  using Asker = const void*;
  using Done = std::function<void(base::Result<Login>)>;

  /// The first link counts whose back ends all accept the user. Calls `done` once, inside the call
  /// or later, unless the asker is forgotten before; its error is the last link's.
  void log_in(Asker asker, LoginRequest request, Done done);

  /// access_refused "access to queue 'q' in vhost '/' refused for user 'u'". The default exchange
  /// goes by the name amq.default, in the check and in the text.
  base::Result<> check(const Login& login, std::string_view vhost, ResourceKind kind,
                       std::string_view name, Access access);

  /// Whether the user may use that routing key of a topic exchange; of others everybody may use
  /// all. access_refused "access to topic 'k' in exchange 'x' in vhost '/' refused for user 'u'".
  base::Result<> check_topic(const Login& login, const catalog::Exchange& exchange,
                             std::string_view routing_key, Access access);

  /// Whether the user may have messages go on from there to the exchange that `exchange` names,
  /// which may be null: read what is here, and write what is there.
  base::Result<> check_forwarding(const Login& login, const catalog::ResourceName& from,
                                  ResourceKind kind, const base::FieldValue* exchange);

  /// Whether the user may open connections to the vhost: not_allowed "vhost v not found" or
  /// "access to vhost 'v' refused for user 'u'".
  base::Result<> check_vhost(const Login& login, std::string_view vhost);

  /// Tells whether that login's last check failed only because a back end has to ask somebody
  /// first. Then `retry` is called once, later, when it has, unless the asker is forgotten before.
  bool wait(const Login& login, Asker asker, std::function<void()> retry);
  /// What is on its way for the asker has come in vain. To be called before the asker goes.
  void forget(Asker asker) { waiting_.erase(asker); }

 private:
  struct Attempt;
  using Ticket = std::uint64_t;

  template <typename Question>
  bool is_allowed(const Login& login, const Question& question);
  Ticket take_ticket(Asker asker);
  bool is_awaited(Asker asker, Ticket ticket) const;
  void try_link(const std::shared_ptr<Attempt>& attempt);
  void authorize(const std::shared_ptr<Attempt>& attempt);
  void try_next_link(const std::shared_ptr<Attempt>& attempt, std::string refusal);
  void finish(const std::shared_ptr<Attempt>& attempt, base::Result<Login> result);

  const catalog::Catalog& catalog_;
  std::vector<AuthLink> chain_;
  /// Who waits for a back end, each for one thing. Only looked up, never walked through.
  std::map<Asker, Ticket> waiting_;
  Ticket last_ticket_ = 0;
  const Login* undecided_login_ = nullptr;  ///< of the last check, when it was not decided
  std::shared_ptr<Grants> undecided_;
};

}  // namespace warren::broker
