#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/result.h"
#include "broker/resource.h"
#include "catalog/catalog.h"

/// Who says which users there are and what they may do. The catalog does; a service elsewhere may,
/// so whatever needs an answer is prepared to wait for it.
namespace warren::broker {

enum class Access : std::uint8_t { configure, write, read };

struct LoginRequest {
  std::string user;
  /// None: something else has proven who it is, such as a certificate.
  std::optional<std::string> password;
};

/// Empty: the back end has to ask somebody else first, and has begun to.
using Decision = std::optional<bool>;

/// What one back end lets one user do, from the login on. A question may be repeated at any time;
/// how long an answer is kept is the back end's affair.
class Grants {
 public:
  virtual ~Grants() = default;

  /// Whether the user may open connections to a vhost, which exists.
  virtual Decision may_enter(std::string_view vhost) = 0;
  virtual Decision may_access(std::string_view vhost, ResourceKind kind, std::string_view name,
                              Access access) = 0;
  /// Whether the user may use that routing key of a topic exchange; asked after may_access.
  virtual Decision may_use_key(const catalog::Exchange& exchange, std::string_view routing_key,
                               Access access) = 0;
  /// Calls `decided` once, later, on the same shard, when the question is settled to which the
  /// answer was empty last. What can't be found out is settled with no. The answer stays for at
  /// least as long as it takes to put the question again.
  virtual void when_decided(std::function<void()> /*decided*/) {
    ASSERT(false);  // of those who always know
  }
};

/// What a back end makes of a user whom it, or another one, has authenticated.
struct Authorization {
  std::vector<std::string> tags;
  std::shared_ptr<Grants> grants;  ///< never null
};

/// One that the configuration names. Lives on one shard. It calls `answer` exactly once, inside the
/// call or later, within a deadline of its own, and not after its end. Errors are access_refused;
/// their text is for the log, never for the client: "user 'x' - invalid credentials".
class AuthBackend {
 public:
  virtual ~AuthBackend() = default;

  /// Whether the user is who it says it is.
  virtual void authenticate(const LoginRequest& request,
                            std::function<void(base::Result<>)> answer) = 0;
  virtual void authorize(const LoginRequest& request,
                         std::function<void(base::Result<Authorization>)> answer) = 0;
};

/// The users and permissions of the catalog, which must outlive it. A change of permissions counts
/// at once, also for users who are there already.
std::shared_ptr<AuthBackend> make_internal_backend(const catalog::Catalog& catalog);

/// A link of the chain: one that authenticates, and those who all have to allow what the user does.
struct AuthLink {
  std::shared_ptr<AuthBackend> authenticates;
  std::vector<std::shared_ptr<AuthBackend>> authorizes;  ///< at least one
};

}  // namespace warren::broker
