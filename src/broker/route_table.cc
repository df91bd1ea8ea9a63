#include "broker/route_table.h"

#include "base/assert.h"

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
  return Kind::nowhere;
}

void RouteTable::reset(Kind kind) {
  kind_ = kind;
  targets_.clear();
  free_targets_.clear();
  queue_numbers_.clear();
  exchange_numbers_.clear();
  switch (kind) {
    case Kind::fanout: bindings_.emplace<Fanout>(); break;
    case Kind::topic: bindings_.emplace<TopicTable>(); break;
    case Kind::headers: bindings_.emplace<HeadersTable>(); break;
    default: bindings_.emplace<DirectTable>();
  }
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
  if (auto* direct = std::get_if<DirectTable>(&bindings_)) direct->add(binding.routing_key, number);
  if (auto* topic = std::get_if<TopicTable>(&bindings_)) topic->add(binding.routing_key, number);
  if (auto* headers = std::get_if<HeadersTable>(&bindings_))
    headers->add(binding.arguments, number);
}

RouteTable* RouteTable::remove(const catalog::Binding& binding) {
  Numbers& numbers = numbers_of(binding.destination_kind);
  auto known = numbers.find(binding.destination);
  if (known == numbers.end()) return nullptr;
  TargetNumber number = known->second;
  if (auto* direct = std::get_if<DirectTable>(&bindings_))
    direct->remove(binding.routing_key, number);
  if (auto* topic = std::get_if<TopicTable>(&bindings_))
    topic->remove(binding.routing_key, number);
  if (auto* headers = std::get_if<HeadersTable>(&bindings_))
    headers->remove(binding.arguments, number);
  RouteTable* table = targets_[number].table;
  ASSERT(targets_[number].bindings > 0);
  if (--targets_[number].bindings == 0) {
    targets_[number] = {};
    free_targets_.push_back(number);
    numbers.erase(known);
  }
  return table;
}

void RouteTable::match(std::span<const std::string_view> keys, const base::FieldTable* headers,
                       std::vector<TargetNumber>& out) const {
  out.clear();
  for (std::string_view key : keys) {
    if (auto* direct = std::get_if<DirectTable>(&bindings_)) direct->match(key, out);
    if (auto* topic = std::get_if<TopicTable>(&bindings_)) topic->match(key, out);
  }
  if (auto* table = std::get_if<HeadersTable>(&bindings_)) table->match(headers, out);
  if (std::holds_alternative<Fanout>(bindings_))
    for (TargetNumber number = 0; number < targets_.size(); ++number)
      if (targets_[number].bindings > 0) out.push_back(number);
}

}  // namespace warren::broker
