#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "catalog/records.h"

namespace warren::catalog {

/// All stored bindings. Each is found by itself, among those of its source and among those of its
/// destination, so that no change costs more than what it changes. Their arguments are sorted by
/// name before they come here.
class Bindings {
 private:
  /// The ends of a list through nodes, in the order of their making.
  struct List;
  struct Node;
  struct Hooks {
    Node* before = nullptr;
    Node* after = nullptr;
  };

 public:
  /// Some of the bindings, in the order of their making. It lives until the next change.
  class Range {
   public:
    class Iterator {
     public:
      using value_type = Binding;
      using difference_type = std::ptrdiff_t;
      Iterator() = default;
      explicit Iterator(const Node* node) : node_(node) {}
      const Binding& operator*() const { return node_->binding; }
      const Binding* operator->() const { return &node_->binding; }
      Iterator& operator++() {
        node_ = node_->by_source.after;
        return *this;
      }
      Iterator operator++(int) {
        Iterator before = *this;
        ++*this;
        return before;
      }
      bool operator==(const Iterator&) const = default;

     private:
      const Node* node_ = nullptr;
    };

    Range() = default;
    Range(const Node* first, std::size_t size) : first_(first), size_(size) {}
    Iterator begin() const { return Iterator(first_); }
    Iterator end() const { return Iterator(); }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

   private:
    const Node* first_ = nullptr;
    std::size_t size_ = 0;
  };

  Bindings() = default;
  Bindings(const Bindings&);
  Bindings& operator=(const Bindings&);
  Bindings(Bindings&&) = default;
  Bindings& operator=(Bindings&&) = default;

  /// False when it is there already.
  bool add(Binding binding);
  bool contains(const Binding& binding) const;
  bool remove(const Binding& binding);
  void remove_from(const ResourceName& source);
  /// Takes out all that lead there, by source, then in the order of their making.
  std::vector<Binding> take_to(DestinationKind kind, const ResourceName& destination);

  Range from(const ResourceName& source) const;
  std::vector<Binding> to(DestinationKind kind, const ResourceName& destination) const;
  /// The sources that have bindings, in order.
  std::vector<ResourceName> sources() const;
  std::size_t count() const { return nodes_.size(); }
  std::size_t source_count() const { return by_source_.size(); }

 private:
  struct Node {
    Binding binding;
    // The lists change while the node stands still in its set.
    mutable Hooks by_source{};
    mutable Hooks by_destination{};
  };
  struct List {
    Node* first = nullptr;
    Node* last = nullptr;
    std::size_t size = 0;

    void append(Node& node, Hooks Node::*hooks);
    void remove(Node& node, Hooks Node::*hooks);
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Node& node) const { return (*this)(node.binding); }
    std::size_t operator()(const Binding& binding) const;
  };
  struct Same {
    using is_transparent = void;
    bool operator()(const Node& a, const Node& b) const { return same(a.binding, b.binding); }
    bool operator()(const Binding& a, const Node& b) const { return same(a, b.binding); }
    bool operator()(const Node& a, const Binding& b) const { return same(a.binding, b); }
    static bool same(const Binding& a, const Binding& b);
  };
  struct Destination {
    DestinationKind kind;
    ResourceName name;
    auto operator<=>(const Destination&) const = default;
  };
  using Set = std::unordered_set<Node, Hash, Same>;

  static Destination destination_of(const Binding& binding) {
    return {binding.destination_kind, {binding.source.vhost, binding.destination}};
  }
  void erase(Set::iterator place);

  Set nodes_;
  std::map<ResourceName, List> by_source_;
  std::map<Destination, List> by_destination_;
};

}  // namespace warren::catalog
