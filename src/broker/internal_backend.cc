#include <fmt/format.h>

#include <cctype>

#include "broker/auth_backend.h"
#include "broker/password.h"
#include "broker/pattern_cache.h"

namespace warren::broker {
namespace {

struct Source {
  const catalog::Catalog& catalog;
  /// Compiled patterns, never answers.
  PatternCache patterns;
};

const std::string& pattern_for(const catalog::Permission& permission, Access access) {
  switch (access) {
    case Access::configure:
      return permission.configure;
    case Access::write:
      return permission.write;
    case Access::read:
      break;
  }
  return permission.read;
}

/// What stands in braces in a topic's pattern stands for this text, and for no pattern: whoever
/// chooses a user's name must not choose what the user may do.
void replace_all(std::string& pattern, std::string_view variable, std::string_view text) {
  for (std::size_t at = pattern.find(variable); at != std::string::npos;) {
    std::string quoted;
    for (char c : text) {
      if (c == '\0') {
        quoted += "\\x00";
        continue;
      }
      const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0;
      if (!is_plain) quoted += '\\';
      quoted += c;
    }
    pattern.replace(at, variable.size(), quoted);
    at = pattern.find(variable, at + quoted.size());
  }
}

/// Whoever holds these may have them for longer than the node runs; then they allow nothing.
class InternalGrants final : public Grants {
 public:
  InternalGrants(std::weak_ptr<Source> source, std::string user)
      : source_(std::move(source)), user_(std::move(user)) {}

  Decision may_enter(std::string_view vhost) override {
    const auto source = source_.lock();
    return source && source->catalog.find_permission(user_, vhost) != nullptr;
  }
  Decision may_access(std::string_view vhost, ResourceKind, std::string_view name,
                      Access access) override {
    const auto source = source_.lock();
    const auto* permission = source ? source->catalog.find_permission(user_, vhost) : nullptr;
    return permission && source->patterns.matches(pattern_for(*permission, access), name);
  }
  Decision may_use_key(const catalog::Exchange& exchange, std::string_view routing_key,
                       Access access) override {
    const auto source = source_.lock();
    if (!source) return false;
    const auto* permission = source->catalog.find_topic_permission(user_, exchange.name);
    if (!permission) return true;
    std::string pattern = access == Access::write ? permission->write : permission->read;
    if (pattern.find('{') != std::string::npos) {
      replace_all(pattern, "{username}", user_);
      replace_all(pattern, "{vhost}", exchange.name.vhost);
    }
    return source->patterns.matches(pattern, routing_key);
  }

 private:
  std::weak_ptr<Source> source_;
  std::string user_;
};

class InternalBackend final : public AuthBackend {
 public:
  explicit InternalBackend(const catalog::Catalog& catalog)
      : source_(std::make_shared<Source>(catalog)) {}

  void authenticate(const LoginRequest& request,
                    std::function<void(base::Result<>)> answer) override {
    const catalog::User* found = source_->catalog.find_user(request.user);
    if (!request.password) return answer(found ? base::Result<>() : stranger(request.user));
    // An unknown user costs the same digest as a known one, so the time does not tell names.
    static constexpr std::string_view nobody = "nobody with a digest that is 36b";
    const bool fits = verify_password(
        found ? std::string_view(found->password_hash) : nobody,
        found ? std::string_view(found->hashing_algorithm) : default_hashing_algorithm,
        *request.password);
    answer(found && fits ? base::Result<>() : stranger(request.user));
  }

  void authorize(const LoginRequest& request,
                 std::function<void(base::Result<Authorization>)> answer) override {
    const catalog::User* found = source_->catalog.find_user(request.user);
    if (!found) return answer(stranger(request.user));
    answer(Authorization{found->tags, std::make_shared<InternalGrants>(source_, request.user)});
  }

 private:
  static std::unexpected<base::Error> stranger(std::string_view user) {
    return base::fail(base::ErrorCode::access_refused,
                      fmt::format("user '{}' - invalid credentials", user));
  }

  std::shared_ptr<Source> source_;
};

}  // namespace

std::shared_ptr<AuthBackend> make_internal_backend(const catalog::Catalog& catalog) {
  return std::make_shared<InternalBackend>(catalog);
}

}  // namespace warren::broker
