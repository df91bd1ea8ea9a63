#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "broker/pattern_cache.h"
#include "broker/resource.h"
#include "catalog/catalog.h"

namespace warren::broker {

enum class Access : std::uint8_t { configure, write, read };

/// Answers what a user may do, from the catalog's permissions. One per shard; it keeps compiled
/// patterns, never answers, so a change of the catalog counts at once.
class Authorizer {
 public:
  /// `catalog` must outlive it.
  explicit Authorizer(const catalog::Catalog& catalog) : catalog_(catalog) {}

  /// access_refused "access to queue 'q' in vhost '/' refused for user 'u'". The default exchange
  /// goes by the name amq.default, in the check and in the text.
  base::Result<> check(std::string_view user, std::string_view vhost, ResourceKind kind,
                       std::string_view name, Access access);

  /// Whether the user may use that routing key of a topic exchange; of others everybody may use
  /// all. access_refused "access to topic 'k' in exchange 'x' in vhost '/' refused for user 'u'".
  base::Result<> check_topic(std::string_view user, const catalog::Exchange& exchange,
                             std::string_view routing_key, Access access);

  /// Whether the user may open connections to the vhost: not_allowed "vhost v not found" or
  /// "access to vhost 'v' refused for user 'u'".
  base::Result<> check_vhost(std::string_view user, std::string_view vhost) const;

 private:
  const catalog::Catalog& catalog_;
  PatternCache patterns_;
};

}  // namespace warren::broker
