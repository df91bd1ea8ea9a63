#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"

namespace warren::session {

/// What is counted because users and vhosts may have limits for it.
enum class UseKind : std::uint8_t { vhost_connections, user_connections, user_channels };
inline constexpr std::size_t use_kinds = 3;

/// How much of it one user or vhost uses on one node.
struct Use {
  UseKind kind = UseKind::vhost_connections;
  std::string name;
  std::uint64_t count = 0;
  bool operator==(const Use&) const = default;
};

/// Counts connections and channels against the limits of users and vhosts, cluster-wide: its own
/// it is told, those of other members come from there, a moment later. So clients who come to
/// several nodes at once may be a few too many. One per shard.
class ClientLimits {
 public:
  /// `catalog` must outlive it.
  explicit ClientLimits(const catalog::Catalog& catalog) : catalog_(catalog) {}

  /// not_allowed "access to vhost 'v' refused for user 'u': connection limit (1) is reached", or
  /// "vhost v not found".
  base::Result<> check_vhost(std::string_view user, std::string_view vhost) const;
  /// not_allowed "connection refused for user 'u': user connection limit (1) is reached".
  base::Result<> check_user(std::string_view user) const;
  /// not_allowed "number of channels opened for user 'u' has reached the maximum allowed user
  /// limit of (1)".
  base::Result<> check_channel(std::string_view user) const;

  void add_connection(std::string_view user, std::string_view vhost);
  void remove_connection(std::string_view user, std::string_view vhost);
  void add_channel(std::string_view user);
  void remove_channels(std::string_view user, std::uint64_t count);

  /// What another member uses; zero when it uses nothing any more, or is gone.
  void set_other(const catalog::NodeName& member, const Use& use);
  /// The limits of a user or a vhost may be other ones now.
  void on_limits_changed(UseKind kind, const std::string& name);
  /// What other members should hear: this node's uses for which there are limits and that have
  /// changed since the last call.
  std::vector<Use> take_changes();
  bool has_changes() const { return !changed_.empty(); }

 private:
  using Counts = std::map<std::string, std::uint64_t, std::less<>>;
  struct Other {
    std::map<catalog::NodeName, std::uint64_t> by_member;
    std::uint64_t sum = 0;
  };

  std::int64_t limit_of(UseKind kind, std::string_view name) const;
  std::uint64_t own(UseKind kind, std::string_view name) const;
  bool is_full(UseKind kind, std::string_view name) const;
  void add(UseKind kind, std::string_view name);
  void remove(UseKind kind, std::string_view name, std::uint64_t count);
  void note_change(UseKind kind, std::string_view name);

  const catalog::Catalog& catalog_;
  std::array<Counts, use_kinds> own_;
  std::array<std::map<std::string, Other, std::less<>>, use_kinds> others_;
  std::set<std::pair<UseKind, std::string>> changed_;
};

}  // namespace warren::session
