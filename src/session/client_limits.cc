#include "session/client_limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"

namespace warren::session {
namespace {

constexpr std::int64_t no_limit = -1;

std::size_t place(UseKind kind) {
  return static_cast<std::size_t>(kind);
}

}  // namespace

base::Result<> ClientLimits::check_vhost(std::string_view user, std::string_view vhost) const {
  if (!catalog_.find_vhost(vhost))
    return base::fail(base::ErrorCode::not_allowed, fmt::format("vhost {} not found", vhost));
  if (!is_full(UseKind::vhost_connections, vhost)) return {};
  return base::fail(
      base::ErrorCode::not_allowed,
      fmt::format("access to vhost '{}' refused for user '{}': connection limit ({}) is reached",
                  vhost, user, limit_of(UseKind::vhost_connections, vhost)));
}

base::Result<> ClientLimits::check_user(std::string_view user) const {
  if (!is_full(UseKind::user_connections, user)) return {};
  return base::fail(
      base::ErrorCode::not_allowed,
      fmt::format("connection refused for user '{}': user connection limit ({}) is reached", user,
                  limit_of(UseKind::user_connections, user)));
}

base::Result<> ClientLimits::check_channel(std::string_view user) const {
  if (!is_full(UseKind::user_channels, user)) return {};
  return base::fail(base::ErrorCode::not_allowed,
                    fmt::format("number of channels opened for user '{}' has reached the maximum "
                                "allowed user limit of ({})",
                                user, limit_of(UseKind::user_channels, user)));
}

void ClientLimits::add_connection(std::string_view user, std::string_view vhost) {
  add(UseKind::vhost_connections, vhost);
  add(UseKind::user_connections, user);
}

void ClientLimits::remove_connection(std::string_view user, std::string_view vhost) {
  remove(UseKind::vhost_connections, vhost, 1);
  remove(UseKind::user_connections, user, 1);
}

void ClientLimits::add_channel(std::string_view user) {
  add(UseKind::user_channels, user);
}

void ClientLimits::remove_channels(std::string_view user, std::uint64_t count) {
  remove(UseKind::user_channels, user, count);
}

void ClientLimits::set_other(const catalog::NodeName& member, const Use& use) {
  auto& others = others_[place(use.kind)];
  Other& other = others[use.name];
  if (use.count == 0)
    other.by_member.erase(member);
  else
    other.by_member[member] = use.count;
  other.sum = 0;
  for (const auto& [name, count] : other.by_member) other.sum += count;
  if (other.by_member.empty()) others.erase(use.name);
}

void ClientLimits::on_limits_changed(UseKind kind, const std::string& name) {
  if (own(kind, name) > 0) note_change(kind, name);
}

std::vector<Use> ClientLimits::take_changes() {
  std::vector<Use> uses;
  for (const auto& [kind, name] : std::exchange(changed_, {}))
    uses.push_back({kind, name, own(kind, name)});
  return uses;
}

std::int64_t ClientLimits::limit_of(UseKind kind, std::string_view name) const {
  if (kind == UseKind::vhost_connections) {
    const catalog::Vhost* vhost = catalog_.find_vhost(name);
    return vhost && vhost->limits ? vhost->limits->max_connections.value_or(no_limit) : no_limit;
  }
  const catalog::User* user = catalog_.find_user(name);
  if (!user) return no_limit;
  const auto& limit = kind == UseKind::user_connections ? user->limits.max_connections
                                                        : user->limits.max_channels;
  return limit.value_or(no_limit);
}

std::uint64_t ClientLimits::own(UseKind kind, std::string_view name) const {
  const Counts& counts = own_[place(kind)];
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

bool ClientLimits::is_full(UseKind kind, std::string_view name) const {
  const std::int64_t limit = limit_of(kind, name);
  if (limit < 0) return false;
  const auto& others = others_[place(kind)];
  const auto other = others.find(name);
  const std::uint64_t elsewhere = other == others.end() ? 0 : other->second.sum;
  return own(kind, name) + elsewhere >= static_cast<std::uint64_t>(limit);
}

void ClientLimits::add(UseKind kind, std::string_view name) {
  Counts& counts = own_[place(kind)];
  auto found = counts.find(name);
  if (found == counts.end()) found = counts.emplace(name, 0).first;
  ++found->second;
  note_change(kind, name);
}

void ClientLimits::remove(UseKind kind, std::string_view name, std::uint64_t count) {
  if (count == 0) return;
  Counts& counts = own_[place(kind)];
  const auto found = counts.find(name);
  ASSERT(found != counts.end() && found->second >= count);
  found->second -= count;
  if (found->second == 0) counts.erase(found);
  note_change(kind, name);
}

void ClientLimits::note_change(UseKind kind, std::string_view name) {
  if (limit_of(kind, name) >= 0) changed_.emplace(kind, name);
}

}  // namespace warren::session
