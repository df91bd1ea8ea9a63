#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/route_direct.h"

namespace warren::broker {

/// The bindings of a topic exchange as a trie of words. Words are what dots part, and may be
/// empty; an empty key has no words at all. In a binding key * stands for exactly one word and #
/// for any number of words.
class TopicTable {
 public:
  TopicTable() : nodes_(1) {}

  void add(std::string_view binding_key, BindingNumber binding);
  /// Appends the bindings that fit, each once. Takes at most (words of the routing key) x (nodes
  /// of the trie) steps, whatever the binding keys.
  void match(std::string_view routing_key, std::vector<BindingNumber>& out) const;

 private:
  using NodeNumber = std::uint32_t;
  using WordNumber = std::uint32_t;
  static constexpr NodeNumber none = 0;  ///< the root is nobody's child

  struct Node {
    NodeNumber star = none;
    NodeNumber hash = none;
    bool is_hash = false;  ///< reached by #: stays where it is for any word
    std::vector<BindingNumber> bindings;
    /// The last step in which match() came here, so that it comes once.
    mutable std::uint64_t visited = 0;
  };

  NodeNumber make_child(NodeNumber parent, std::string_view word);
  NodeNumber find_child(NodeNumber parent, WordNumber word) const;
  void enter(NodeNumber node, std::vector<NodeNumber>& active) const;

  std::vector<Node> nodes_;
  TextMap<WordNumber> words_;
  std::unordered_map<std::uint64_t, NodeNumber> children_;  ///< by (parent, word)
  mutable std::uint64_t step_ = 0;
  mutable std::vector<NodeNumber> active_, next_;
};

}  // namespace warren::broker
