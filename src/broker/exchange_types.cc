#include "broker/exchange_declaration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "catalog/delaying.h"

namespace warren::broker {
namespace {

constexpr ExchangeType types[] = {
    {"direct", "routes by equal keys", ""},
    {"fanout", "routes to every binding", ""},
    {"headers", "routes by header values", ""},
    {"topic", "routes by key patterns", ""},
    {"x-consistent-hash", "equal keys to one binding, in proportion to weights",
     "rabbitmq_consistent_hash_exchange"},
    {catalog::delaying_type, "routes as another type does, once a message is due",
     "rabbitmq_delayed_message_exchange"},
    {"x-modulus-hash", "equal keys to one binding", "rabbitmq_sharding"},
    {"x-random", "routes to a binding by chance", "rabbitmq_random_exchange"},
    {"x-recent-history", "routes to every binding, and the latest messages to new ones",
     "rabbitmq_recent_history_exchange"},
};

/// RabbitMQ answers otherwise where the type happens to be a word that its virtual machine has
/// come across. These are some that people try.
bool is_familiar_word(std::string_view type) {
  static constexpr std::array<std::string_view, 11> words = {
      "", "Direct", "bad", "bar", "default", "foo", "invalid", "invalid_type", "queue", "test",
      "unknown"};
  return std::ranges::find(words, type) != words.end();
}

}  // namespace

ExchangeTypes::ExchangeTypes(const std::set<std::string, std::less<>>& plugins) {
  std::ranges::copy_if(types, std::back_inserter(offered_), [&](const ExchangeType& type) {
    return type.plugin.empty() || plugins.contains(type.plugin);
  });
}

base::Result<> ExchangeTypes::check(std::string_view type) const {
  if (std::ranges::find(offered_, type, &ExchangeType::name) != offered_.end()) return {};
  return base::fail(base::ErrorCode::invalid_argument,
                    fmt::format("{} exchange type '{}'",
                                is_familiar_word(type) ? "invalid" : "unknown", type));
}

}  // namespace warren::broker
