#include "broker/route_topic.h"

#include <utility>

namespace warren::broker {
namespace {

template <typename Visit>
void for_each_word(std::string_view key, Visit&& visit) {
  if (key.empty()) return;
  for (;;) {
    std::size_t dot = key.find('.');
    visit(key.substr(0, dot));
    if (dot == std::string_view::npos) return;
    key.remove_prefix(dot + 1);
  }
}

std::uint64_t child_key(std::uint32_t parent, std::uint32_t word) {
  return std::uint64_t{parent} << 32 | word;
}

}  // namespace

void TopicTable::add(std::string_view binding_key, BindingNumber binding) {
  NodeNumber node = 0;
  for_each_word(binding_key, [&](std::string_view word) { node = make_child(node, word); });
  nodes_[node].bindings.push_back(binding);
}

TopicTable::NodeNumber TopicTable::make_child(NodeNumber parent, std::string_view word) {
  auto next = static_cast<NodeNumber>(nodes_.size());
  bool is_hash = word == "#";
  if (is_hash || word == "*") {
    NodeNumber& child = is_hash ? nodes_[parent].hash : nodes_[parent].star;
    if (child != none) return child;
    child = next;
  } else {
    auto number = static_cast<WordNumber>(words_.size());
    WordNumber known = words_.try_emplace(std::string(word), number).first->second;
    auto [child, is_new] = children_.try_emplace(child_key(parent, known), next);
    if (!is_new) return child->second;
  }
  nodes_.emplace_back().is_hash = is_hash;
  return next;
}

TopicTable::NodeNumber TopicTable::find_child(NodeNumber parent, WordNumber word) const {
  auto found = children_.find(child_key(parent, word));
  return found == children_.end() ? none : found->second;
}

/// Adds the node and those that are reached from it without a word.
void TopicTable::enter(NodeNumber node, std::vector<NodeNumber>& active) const {
  do {
    if (nodes_[node].visited == step_) return;
    nodes_[node].visited = step_;
    active.push_back(node);
    node = nodes_[node].hash;
  } while (node != none);
}

void TopicTable::match(std::string_view routing_key, std::vector<BindingNumber>& out) const {
  ++step_;
  active_.clear();
  enter(0, active_);
  for_each_word(routing_key, [&](std::string_view word) {
    auto number = words_.find(word);
    ++step_;
    next_.clear();
    for (NodeNumber node : active_) {
      if (nodes_[node].is_hash) enter(node, next_);
      if (nodes_[node].star != none) enter(nodes_[node].star, next_);
      if (number == words_.end()) continue;
      NodeNumber child = find_child(node, number->second);
      if (child != none) enter(child, next_);
    }
    std::swap(active_, next_);
  });
  for (NodeNumber node : active_)
    out.insert(out.end(), nodes_[node].bindings.begin(), nodes_[node].bindings.end());
}

}  // namespace warren::broker
