#include "broker/route_topic.h"

#include <utility>

#include "base/assert.h"

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

bool is_wildcard(std::string_view word) { return word == "*" || word == "#"; }

}  // namespace

bool TopicTable::has_wildcards(std::string_view binding_key) {
  bool found = false;
  for_each_word(binding_key, [&](std::string_view word) { found |= is_wildcard(word); });
  return found;
}

void TopicTable::add(std::string_view binding_key, TargetNumber target) {
  if (!has_wildcards(binding_key)) return exact_.add(binding_key, target);
  NodeNumber node = 0;
  for_each_word(binding_key, [&](std::string_view word) { node = make_child(node, word); });
  nodes_[node].targets.add(target);
}

void TopicTable::remove(std::string_view binding_key, TargetNumber target) {
  if (!has_wildcards(binding_key)) return exact_.remove(binding_key, target);
  NodeNumber node = 0;
  std::vector<std::string_view> words;
  for_each_word(binding_key, [&](std::string_view word) {
    node = find_child(node, word);
    ASSERT(node != none);
    words.push_back(word);
  });
  nodes_[node].targets.remove(target);
  for (; !words.empty() && nodes_[node].is_needless(); words.pop_back()) {
    NodeNumber parent = nodes_[node].parent;
    drop_child(parent, words.back());
    free_nodes_.push_back(node);
    node = parent;
  }
}

TopicTable::NodeNumber TopicTable::make_node(NodeNumber parent) {
  NodeNumber number;
  if (free_nodes_.empty()) {
    number = static_cast<NodeNumber>(nodes_.size());
    nodes_.emplace_back();
  } else {
    number = free_nodes_.back();
    free_nodes_.pop_back();
    nodes_[number] = Node();
  }
  nodes_[number].parent = parent;
  return number;
}

TopicTable::WordNumber TopicTable::use_word(std::string_view word) {
  auto found = words_.find(word);
  if (found == words_.end()) {
    auto number = static_cast<WordNumber>(words_.size() + free_words_.size());
    if (!free_words_.empty()) {
      number = free_words_.back();
      free_words_.pop_back();
    }
    found = words_.try_emplace(std::string(word), Word{number}).first;
  }
  ++found->second.uses;
  return found->second.number;
}

TopicTable::NodeNumber TopicTable::make_child(NodeNumber parent, std::string_view word) {
  if (NodeNumber child = find_child(parent, word); child != none) return child;
  NodeNumber child = make_node(parent);
  if (word == "#") {
    nodes_[parent].hash = child;
    nodes_[child].is_hash = true;
  } else if (word == "*") {
    nodes_[parent].star = child;
  } else {
    children_.emplace(child_key(parent, use_word(word)), child);
    ++nodes_[parent].words;
  }
  return child;
}

TopicTable::NodeNumber TopicTable::find_child(NodeNumber parent, std::string_view word) const {
  if (word == "#") return nodes_[parent].hash;
  if (word == "*") return nodes_[parent].star;
  auto known = words_.find(word);
  return known == words_.end() ? none : find_child(parent, known->second.number);
}

TopicTable::NodeNumber TopicTable::find_child(NodeNumber parent, WordNumber word) const {
  auto found = children_.find(child_key(parent, word));
  return found == children_.end() ? none : found->second;
}

void TopicTable::drop_child(NodeNumber parent, std::string_view word) {
  if (word == "#") {
    nodes_[parent].hash = none;
  } else if (word == "*") {
    nodes_[parent].star = none;
  } else {
    auto known = words_.find(word);
    children_.erase(child_key(parent, known->second.number));
    --nodes_[parent].words;
    if (--known->second.uses > 0) return;
    free_words_.push_back(known->second.number);
    words_.erase(known);
  }
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

void TopicTable::match(std::string_view routing_key, std::vector<TargetNumber>& out) const {
  if (!exact_.empty()) exact_.match(routing_key, out);
  if (node_count() == 1) return;
  ++step_;
  active_.clear();
  enter(0, active_);
  for_each_word(routing_key, [&](std::string_view word) {
    if (active_.empty()) return;
    auto known = words_.end();
    bool is_looked_up = false;
    ++step_;
    next_.clear();
    for (NodeNumber node : active_) {
      if (nodes_[node].is_hash) enter(node, next_);
      if (nodes_[node].star != none) enter(nodes_[node].star, next_);
      if (nodes_[node].words == 0) continue;
      if (!std::exchange(is_looked_up, true)) known = words_.find(word);
      if (known == words_.end()) continue;
      NodeNumber child = find_child(node, known->second.number);
      if (child != none) enter(child, next_);
    }
    std::swap(active_, next_);
  });
  for (NodeNumber node : active_) nodes_[node].targets.append_to(out);
}

}  // namespace warren::broker
