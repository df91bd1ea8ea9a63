#include "broker/route_table.h"

#include "base/assert.h"
#include "catalog/delaying.h"

namespace warren::broker {

void RouteTable::Answers::forget(std::string_view key) {
  auto answer = by_key.find(key);
  if (answer == by_key.end()) return;
  queues -= answer->second.size();
  by_key.erase(answer);
}

RouteTable::Kind RouteTable::kind_of(std::string_view type) {
  if (type == "direct") return Kind::direct;
  if (type == "fanout") return Kind::fanout;
  if (type == "topic") return Kind::topic;
  if (type == "headers") return Kind::headers;
  if (type == "x-consistent-hash") return Kind::consistent_hash;
  if (type == "x-modulus-hash") return Kind::modulus_hash;
  if (type == "x-random") return Kind::random;
  if (type == "x-recent-history") return Kind::recent_history;
  return Kind::nowhere;
}

void RouteTable::reset(Kind kind, const base::FieldTable& arguments) {
  kind_ = kind;
  delays_ = false;
  hash_source_ = kind == Kind::consistent_hash ? HashSource(arguments) : HashSource();
  targets_.clear();
  free_targets_.clear();
  queue_numbers_.clear();
  exchange_numbers_.clear();
  switch (kind) {
    case Kind::recent_history:
    case Kind::fanout: bindings_.emplace<Fanout>(); break;
    case Kind::topic: bindings_.emplace<TopicTable>(); break;
    case Kind::headers: bindings_.emplace<HeadersTable>(); break;
    case Kind::consistent_hash:
    case Kind::modulus_hash:
    case Kind::random: bindings_.emplace<SpreadTable>(); break;
    default: bindings_.emplace<DirectTable>();
  }
}

void RouteTable::reset(const catalog::Exchange& exchange) {
  reset(kind_of(catalog::routing_type(exchange)), exchange.arguments);
  delays_ = exchange.type == catalog::delaying_type;
}

void RouteTable::add(const catalog::Binding& binding, catalog::QueueId queue, RouteTable* table) {
  Numbers& numbers = numbers_of(binding.destination_kind);
  auto known = numbers.find(binding.destination);
  if (known == numbers.end()) {
    auto number = static_cast<TargetNumber>(targets_.size());
    if (free_targets_.empty()) {
      targets_.emplace_back();
    } else {
      number = free_targets_.back();
      free_targets_.pop_back();
    }
    targets_[number] = {queue, table, 0};
    known = numbers.emplace(binding.destination, number).first;
  }
  TargetNumber number = known->second;
  ++targets_[number].bindings;
  add_match(binding, number);
}

void RouteTable::add_match(const catalog::Binding& binding, TargetNumber number) {
  if (auto* direct = std::get_if<DirectTable>(&bindings_)) direct->add(binding.routing_key, number);
  if (auto* topic = std::get_if<TopicTable>(&bindings_)) topic->add(binding.routing_key, number);
  if (auto* headers = std::get_if<HeadersTable>(&bindings_))
    headers->add(binding.arguments, number);
  if (auto* spread = std::get_if<SpreadTable>(&bindings_))
    if (const std::int32_t weight = weight_of(binding); weight > 0)
      spread->add(binding, number, weight);
}

RouteTable* RouteTable::remove(const catalog::Binding& binding) {
  Numbers& numbers = numbers_of(binding.destination_kind);
  auto known = numbers.find(binding.destination);
  if (known == numbers.end()) return nullptr;
  TargetNumber number = known->second;
  remove_match(binding, number);
  RouteTable* table = targets_[number].table;
  ASSERT(targets_[number].bindings > 0);
  if (--targets_[number].bindings == 0) {
    targets_[number] = {};
    free_targets_.push_back(number);
    numbers.erase(known);
  }
  return table;
}

void RouteTable::remove_match(const catalog::Binding& binding, TargetNumber number) {
  if (auto* direct = std::get_if<DirectTable>(&bindings_))
    direct->remove(binding.routing_key, number);
  if (auto* topic = std::get_if<TopicTable>(&bindings_))
    topic->remove(binding.routing_key, number);
  if (auto* headers = std::get_if<HeadersTable>(&bindings_))
    headers->remove(binding.arguments, number);
  if (auto* spread = std::get_if<SpreadTable>(&bindings_))
    if (const std::int32_t weight = weight_of(binding); weight > 0) spread->remove(number, weight);
}

/// Keys that are no weights were refused; should one have come all the same, it weighs nothing.
std::int32_t RouteTable::weight_of(const catalog::Binding& binding) const {
  return kind_ == Kind::consistent_hash ? parse_weight(binding.routing_key).value_or(0) : 1;
}

void RouteTable::match(const Asked& asked, std::vector<TargetNumber>& out) {
  out.clear();
  for (std::string_view key : asked.routing_keys) {
    if (auto* direct = std::get_if<DirectTable>(&bindings_)) direct->match(key, out);
    if (auto* topic = std::get_if<TopicTable>(&bindings_)) topic->match(key, out);
  }
  if (auto* table = std::get_if<HeadersTable>(&bindings_)) table->match(asked.content.headers, out);
  if (auto* table = std::get_if<SpreadTable>(&bindings_))
    if (auto number = choose(*table, asked)) out.push_back(*number);
  if (std::holds_alternative<Fanout>(bindings_))
    for (TargetNumber number = 0; number < targets_.size(); ++number)
      if (targets_[number].bindings > 0) out.push_back(number);
}

std::optional<TargetNumber> RouteTable::choose(SpreadTable& table, const Asked& asked) const {
  if (kind_ == Kind::random) return table.at(asked.chance);
  const std::uint64_t hash = hash_source_.hash(asked);
  return kind_ == Kind::modulus_hash ? table.at(hash) : table.closest(hash);
}

}  // namespace warren::broker
