#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/route_direct.h"

namespace warren::broker {

/// The bindings of a topic exchange. Binding keys without wildcards are found as they are; the
/// others are a trie of words. Words are what dots part, and may be empty; an empty key has no
/// words at all. In a binding key * stands for exactly one word and # for any number of words.
class TopicTable {
 public:
  TopicTable() : nodes_(1) {}

  void add(std::string_view binding_key, TargetNumber target);
  /// Removes one binding, which must be there.
  void remove(std::string_view binding_key, TargetNumber target);
  /// Appends the targets of the bindings that fit, once for each binding. Takes at most (words of
  /// the routing key) x (nodes of the trie) steps, whatever the binding keys.
  void match(std::string_view routing_key, std::vector<TargetNumber>& out) const;

  static bool has_wildcards(std::string_view binding_key);
  /// Nodes in use, for tests: they go with the bindings that they are for.
  std::size_t node_count() const { return nodes_.size() - free_nodes_.size(); }

 private:
  using NodeNumber = std::uint32_t;
  using WordNumber = std::uint32_t;
  static constexpr NodeNumber none = 0;  ///< the root is nobody's child

  struct Node {
    NodeNumber parent = none;
    NodeNumber star = none;
    NodeNumber hash = none;
    std::uint32_t words = 0;  ///< children by a word
    bool is_hash = false;     ///< reached by #: stays where it is for any word
    TargetList targets;
    /// The last step in which match() came here, so that it comes once.
    mutable std::uint64_t visited = 0;

    bool is_needless() const {
      return targets.empty() && star == none && hash == none && words == 0;
    }
  };
  struct Word {
    WordNumber number;
    std::uint32_t uses = 0;
  };

  NodeNumber make_child(NodeNumber parent, std::string_view word);
  NodeNumber make_node(NodeNumber parent);
  WordNumber use_word(std::string_view word);
  NodeNumber find_child(NodeNumber parent, std::string_view word) const;
  NodeNumber find_child(NodeNumber parent, WordNumber word) const;
  void drop_child(NodeNumber parent, std::string_view word);
  void enter(NodeNumber node, std::vector<NodeNumber>& active) const;

  DirectTable exact_;
  std::vector<Node> nodes_;
  std::vector<NodeNumber> free_nodes_;
  TextMap<Word> words_;
  std::vector<WordNumber> free_words_;
  std::unordered_map<std::uint64_t, NodeNumber> children_;  ///< by (parent, word)
  mutable std::uint64_t step_ = 0;
  mutable std::vector<NodeNumber> active_, next_;
};

}  // namespace warren::broker
